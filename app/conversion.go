package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/convert/settings"
)

// NewConverter makes the converter of `eyrie up` and `eyrie convert`. severity is the name of a severity map, or of a YAML
// file with one (base, priorities, rules); conversion is the path of a settings.File or "". An unknown key in a file is
// an error.
func NewConverter(severity, conversion string) (*convert.Converter, error) {
	file, err := settings.Read(conversion)
	if err != nil {
		return nil, fmt.Errorf("--conversion: %w", err)
	}
	config, err := file.Config()
	if err != nil {
		return nil, err
	}
	if config.Severity, err = severityMap(severity, file.Severity); err != nil {
		return nil, err
	}
	return convert.New(config)
}

// severityMap finds the map that name means, on which the conversion file's own entries are laid.
func severityMap(name string, own convert.SeverityConfig) (convert.SeverityMap, error) {
	switch {
	case strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml"):
		if own.Base != "" || own.Priorities != nil || own.Rules != nil {
			return convert.SeverityMap{}, errors.New("--severity-map names a file and --conversion has a severity map too: keep one")
		}
		if err := settings.ReadYAML(name, &own); err != nil {
			return convert.SeverityMap{}, fmt.Errorf("--severity-map: %w", err)
		}
	case own.Base == "":
		own.Base = name
	}
	m, err := convert.NewSeverityMap(own)
	if err != nil {
		return m, fmt.Errorf("--severity-map: %w; or name a YAML file", err)
	}
	return m, nil
}
