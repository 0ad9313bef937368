package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/collect/cwlogs"
	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/publish"
)

// TestConvertFolds: the short way gives the findings that converting every alert and folding gives, whatever their order.
func TestConvertFolds(t *testing.T) {
	c := config{account: testAccount, cluster: "prod"}
	converter, err := newConverter(&c)
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{config: c, region: testRegion, converter: converter}
	for name, order := range map[string]func(i int) int{"ascending": func(i int) int { return i }, "descending": func(i int) int { return 500 - i },
		"mixed": func(i int) int { return i * 7919 % 501 }, "same time": func(int) int { return 1 }} {
		var texts []cwlogs.Message
		for i := range 500 {
			texts = append(texts, cwlogs.Message{Text: []byte(alert(order(i), i%9))})
		}
		alerts := cwlogs.Read(texts).Alerts
		var each []*asff.Finding
		for _, a := range alerts {
			each = append(each, converter.Convert(a.Alert, falco.Origin{Account: testAccount, Region: testRegion, Cluster: "prod"}))
		}
		if diff := cmp.Diff(publish.Fold(each), h.convert(t.Context(), alerts, newMetrics("", io.Discard))); diff != "" {
			t.Errorf("%s (-fold +short):\n%.3000s", name, diff)
		}
	}
}

// TestManyFields: also the finding of a repeated alert with more fields than a finding takes is valid.
func TestManyFields(t *testing.T) {
	c := config{account: testAccount, cluster: "prod"}
	converter, err := newConverter(&c)
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{config: c, region: testRegion, converter: converter}
	var fields []string
	for i := range 100 {
		fields = append(fields, fmt.Sprintf(`"evt.arg.x%d":"%d"`, i, i))
	}
	text := strings.Replace(alert(1, 1), `"user.name":"root"`, strings.Join(fields, ","), 1)
	alerts := cwlogs.Read([]cwlogs.Message{{Text: []byte(text)}, {Text: []byte(text)}}).Alerts
	f := h.convert(t.Context(), alerts, newMetrics("", io.Discard))[0]
	if bad := asff.Validate(f.AppendJSON(nil), 0); bad != nil || f.ProductFields["eyrie/occurrences"] != "2" {
		t.Errorf("%v, %d fields", bad, len(f.ProductFields))
	}
}
