package main

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
	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

// conversionFile is the form of the file that EYRIE_CONVERSION names, the same as for `eyrie up --conversion`
// (docs/conversion.md). Everything is optional.
type conversionFile struct {
	Severity    convert.SeverityConfig `yaml:"severity"`
	Identity    convert.Identity       `yaml:"identity"`
	Remediation convert.Remediation    `yaml:"remediation"` // laid over what ships
	ProductArn  string                 `yaml:"product-arn"`
	EKSClusters []string               `yaml:"eks-clusters"`
}

// newConverter makes the converter. What a variable says counts before the file.
func newConverter(c *config) (*convert.Converter, error) {
	var file conversionFile
	if c.conversion != "" {
		text, err := os.ReadFile(c.conversion)
		if err == nil {
			err = readYAML(text, &file)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Conversion, err)
		}
	}
	conf := convert.Config{Identity: file.Identity, ProductArn: file.ProductArn, EKSClusters: append(file.EKSClusters, c.eksClusters...)}
	if c.productARN != "" {
		conf.ProductArn = c.productARN
	}
	if err := readYAML(etc.Remediation(), &conf.Remediation); err != nil {
		return nil, fmt.Errorf("the remediation texts that ship with eyrie: %w", err)
	}
	if file.Remediation.Default != (convert.Advice{}) {
		conf.Remediation.Default = file.Remediation.Default
	}
	maps.Copy(conf.Remediation.Rules, file.Remediation.Rules)
	if file.Severity.Base == "" {
		file.Severity.Base = c.severity
	}
	var err error
	if conf.Severity, err = convert.NewSeverityMap(file.Severity); err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Severity, err)
	}
	c.productARN = conf.ProductArn
	return convert.New(conf)
}

// readYAML reads one document; an empty one changes nothing, an unknown key is an error.
func readYAML(text []byte, to any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
