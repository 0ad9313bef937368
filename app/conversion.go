package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/etc"
)

// ConversionFile is the form of the file that --conversion names; docs/conversion.md explains it. Everything is optional.
type ConversionFile struct {
	Severity    convert.SeverityConfig `yaml:"severity"`
	Identity    convert.Identity       `yaml:"identity"`
	Remediation convert.Remediation    `yaml:"remediation"` // laid over what ships
	ProductArn  string                 `yaml:"product-arn"`
	EKSClusters []string               `yaml:"eks-clusters"`
}

// NewConverter makes the converter of `eyrie up` and `eyrie convert`. severity is the name of a severity map, or of a YAML
// file with one (base, priorities, rules); conversion is the path of a ConversionFile or "". An unknown key in a file is
// an error.
func NewConverter(severity, conversion string) (*convert.Converter, error) {
	var file ConversionFile
	if conversion != "" {
		if err := readYAMLFile(conversion, &file); err != nil {
			return nil, fmt.Errorf("--conversion: %w", err)
		}
	}
	config := convert.Config{Identity: file.Identity, ProductArn: file.ProductArn, EKSClusters: file.EKSClusters}
	if err := readYAML(bytes.NewReader(etc.Remediation()), &config.Remediation); err != nil {
		return nil, fmt.Errorf("the remediation texts that ship with eyrie: %w", err)
	}
	if file.Remediation.Default != (convert.Advice{}) {
		config.Remediation.Default = file.Remediation.Default
	}
	if config.Remediation.Rules == nil {
		config.Remediation.Rules = map[string]convert.Advice{}
	}
	maps.Copy(config.Remediation.Rules, file.Remediation.Rules)
	var err error
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
		if err := readYAMLFile(name, &own); err != nil {
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

func readYAMLFile(path string, to any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := readYAML(f, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readYAML reads one document; an empty one changes nothing.
func readYAML(r io.Reader, to any) error {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
