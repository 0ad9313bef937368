package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzWalk compares the walkers with encoding/json on anything that is JSON.
func FuzzWalk(f *testing.F) {
	f.Add([]byte(`{"a":1,"b\u0041":[true,{"x":"}\"]"},-1.5e3, null],"c": "" }`))
	f.Add([]byte(` [ ] `))
	f.Add([]byte(`[[],{},"\\",0]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) { // parseParams refuses it
			return
		}
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		switch {
		case json.Unmarshal(b, &members) == nil && members != nil:
			got := map[string]json.RawMessage{}
			eachMember(b[afterSpace(b, 0):], func(name string, value []byte) bool {
				got[name] = value
				return true
			})
			if !reflect.DeepEqual(got, members) {
				t.Errorf("members of %q = %q, want %q", b, got, members)
			}
		case json.Unmarshal(b, &elements) == nil && elements != nil:
			got := []json.RawMessage{}
			eachElement(b[afterSpace(b, 0):], func(value []byte) bool {
				got = append(got, value)
				return true
			})
			if !reflect.DeepEqual(got, elements) {
				t.Errorf("elements of %q = %q, want %q", b, got, elements)
			}
		}
	})
}

// FuzzRequests decodes any body for every operation: an answer comes of it, never a panic or an internal error.
func FuzzRequests(f *testing.F) {
	for _, s := range scenarios {
		for i, o := range operations {
			if op, _, ok := match(s.method, s.uri); ok && op == o {
				f.Add(uint8(i), []byte(s.body))
			}
		}
	}
	s := newServer(newFake())
	f.Fuzz(func(t *testing.T, index uint8, body []byte) {
		o := operations[int(index)%len(operations)]
		h, ok := s.handlers[o.name]
		if !ok {
			return
		}
		s.c.Hub.(*fakeHub).off = false
		_, err := h(s, &call{Context: t.Context(), op: o.name, label: "x", body: body, by: "fuzz"})
		if err == nil {
			return
		}
		if e, internal := s.wireError(err); internal || e.Status >= http.StatusInternalServerError {
			t.Errorf("%s of %q = %v", o.name, body, err)
		}
	})
}

// BenchmarkImport is what the wire costs of a call of 100 findings, signature and all, without the hub.
func BenchmarkImport(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10} {
		b.Run(fmt.Sprintf("finding=%dk", size>>10), func(b *testing.B) {
			doc := strings.Repeat(`,{"AwsAccountId":"000000000000","Description":"`+strings.Repeat("x", size-60)+`"}`, 100)
			body := `{"Findings":[` + doc[1:] + `]}`
			s := newServer(newFake())
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if w := do(s, signedRequest(b, "POST", "/findings/import", body)); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
