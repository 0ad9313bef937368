package app

import (
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

// ReadConfig reads a configuration file: a YAML mapping whose keys are the names of flags, or of commands with a mapping
// of their flags. An empty file is an empty mapping. It does not know which flags exist: the command line does.
func ReadConfig(r io.Reader) (map[string]any, error) {
	values := map[string]any{}
	err := yaml.NewDecoder(r).Decode(&values)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration file: want a mapping of flag names to values: %w", err)
	}
	return values, nil
}
