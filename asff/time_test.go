package asff

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2019-01-31T23:00:00Z", "2019-01-31T23:00:00Z"}, {"2019-01-31T23:00:00.123456789Z", "2019-01-31T23:00:00.123456789Z"},
		{"2024-01-04T15:25:10+17:59", "2024-01-03T21:26:10Z"}, {"2024-01-04T15:25:10-1759", "2024-01-05T09:24:10Z"},
		{"2024-01-04T15:25:10.123456789+17:59", "2024-01-03T21:26:10.123456789Z"}, {"2024-01-04T15:25:10.5+05", "2024-01-04T10:25:10.5Z"},
		{"2024-01-04T15:25:10-18:00", "2024-01-05T09:25:10Z"}, {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"", ""}, {"2024-01-04", ""}, {"2024-01-04T15:25Z", ""}, {"2024-01-04 15:25:10Z", ""}, {"2024-01-04T15:25:10", ""}, {"2024-01-04T15:25:10z", ""},
		{"2024-01-04T15:25:10.Z", ""}, {"2024-01-04T15:25:10.1234567890Z", ""}, {"2024-01-04T15:25:10+18:01", ""}, {"2024-01-04T15:25:10+1:00", ""},
		{"2024-01-04T15:25:10+05:60", ""}, {"2024-01-04T15:25:10+05:0", ""}, {"2024-01-04T15:25:10ZZ", ""}, {"2024-02-30T00:00:00Z", ""}, {"2023-02-29T00:00:00Z", ""},
		{"2024-13-01T00:00:00Z", ""}, {"2024-00-01T00:00:00Z", ""}, {"2024-01-00T00:00:00Z", ""}, {"2024-01-01T24:00:00Z", ""}, {"2024-01-01T00:60:00Z", ""},
		{"2024-01-01T00:00:60Z", ""}, {"٢024-01-01T00:00:00Z", ""}, {"2024-01-01T00:00:00+", ""}, {"-024-01-01T00:00:00Z", ""},
	} {
		got, err := ParseTime(c.in)
		if (err == nil) != (c.want != "") {
			t.Errorf("ParseTime(%q): got %v, %v, want %q", c.in, got, err, c.want)
		}
		if err == nil && FormatTime(got) != c.want {
			t.Errorf("ParseTime(%q): got %s, want %s", c.in, FormatTime(got), c.want)
		}
	}
}

func TestTimeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		got, err := ParseTime(FormatTime(want))
		if err != nil || !got.Equal(want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestSeverity(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{{-5, "INFORMATIONAL"}, {0, "INFORMATIONAL"}, {1, "LOW"}, {39, "LOW"}, {40, "MEDIUM"}, {69, "MEDIUM"}, {70, "HIGH"}, {89, "HIGH"}, {90, "CRITICAL"}, {100, "CRITICAL"}} {
		if got := SeverityLabel(c.n); got != c.want {
			t.Errorf("SeverityLabel(%d): got %s, want %s", c.n, got, c.want)
		}
	}
	for _, label := range []string{"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"} {
		if n, ok := SeverityNormalized(label); !ok || SeverityLabel(n) != label {
			t.Errorf("SeverityNormalized(%s): got %d %v", label, n, ok)
		}
	}
	if _, ok := SeverityNormalized("low"); ok {
		t.Error("SeverityNormalized takes a label in the wrong case")
	}
}
