package main

import (
	"fmt"

	"github.com/eyrie-sec/eyrie/convert"
	"github.com/eyrie-sec/eyrie/convert/settings"
	spec "github.com/eyrie-sec/eyrie/internal/lambdaspec"
)

// newConverter makes the converter of the file that EYRIE_CONVERSION names, the same as for `eyrie up --conversion`. What
// a variable says counts before the file.
func newConverter(c *config) (*convert.Converter, error) {
	file, err := settings.Read(c.conversion)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Conversion, err)
	}
	conf, err := file.Config()
	if err != nil {
		return nil, err
	}
	conf.EKSClusters = append(conf.EKSClusters, c.eksClusters...)
	if c.productARN != "" {
		conf.ProductArn = c.productARN
	}
	if file.Severity.Base == "" {
		file.Severity.Base = c.severity
	}
	if conf.Severity, err = convert.NewSeverityMap(file.Severity); err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Severity, err)
	}
	c.productARN = conf.ProductArn
	return convert.New(conf)
}
