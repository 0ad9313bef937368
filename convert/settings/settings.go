// Package settings reads the YAML file in which people say how their alerts become findings (docs/conversion.md): a path
// goes in, a convert.Config comes out, laid over the remediation texts that ship. It keeps nothing. An unknown key is an
// error, and so is a file that cannot be read.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/etc"
)

// File is the form of the file. Everything is optional.
type File struct {
	Severity    convert.SeverityConfig `yaml:"severity"`
	Identity    convert.Identity       `yaml:"identity"`
	Remediation convert.Remediation    `yaml:"remediation"` // laid over what ships
	ProductArn  string                 `yaml:"product-arn"`
	EKSClusters []string               `yaml:"eks-clusters"`
}

// Read reads the file at path; "" is an empty file.
func Read(path string) (File, error) {
	var f File
	if path == "" {
		return f, nil
	}
	return f, ReadYAML(path, &f)
}

// Config is what the file says, but for its severity map, which callers make of their own flags as well.
func (f File) Config() (convert.Config, error) {
	c := convert.Config{Identity: f.Identity, ProductArn: f.ProductArn, EKSClusters: f.EKSClusters}
	if err := decode(bytes.NewReader(etc.Remediation()), &c.Remediation); err != nil {
		return c, fmt.Errorf("the remediation texts that ship with eyrie: %w", err)
	}
	if f.Remediation.Default != (convert.Advice{}) {
		c.Remediation.Default = f.Remediation.Default
	}
	if c.Remediation.Rules == nil {
		c.Remediation.Rules = map[string]convert.Advice{}
	}
	maps.Copy(c.Remediation.Rules, f.Remediation.Rules)
	return c, nil
}

// ReadYAML reads the one document of the file at path into to; an empty one changes nothing.
func ReadYAML(path string, to any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := decode(f, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func decode(r io.Reader, to any) error {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	if err := d.Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
