package index

import (
	"cmp"
	"math"
	"strconv"

	"github.com/eyrie-sec/eyrie/asff"
)

// SortKeys are a document's keys for sorting by orders that are not Sortable in memory: compare with CompareKeys.
type SortKeys []string

// Key returns a document's values for orders, as CompareKeys takes them. The error is that of asff.Extract.
func Key(doc []byte, orders []Order) (SortKeys, error) {
	keys := make(SortKeys, len(orders))
	for i, o := range orders {
		v, err := extractOne(doc, o.Attribute, o.Key)
		if err != nil {
			return nil, err
		}
		keys[i] = pick(string(v.tuple(nil, o.Attribute, o.Key)), o)
	}
	return keys, nil
}

// pick returns the value of a tuple that counts for o as a tuple, "" if there is none.
func pick(tuple string, o Order) string {
	best, found := "", false
	for tuple != "" {
		var value string
		value, tuple = nextValue(tuple)
		if !sortable(value, o.Attribute) {
			continue
		}
		if c := compareValues(o.Attribute, value, best); !found || o.Desc && c > 0 || !o.Desc && c < 0 {
			best, found = value, true
		}
	}
	if !found {
		return ""
	}
	return string(appendTuple(nil, best))
}

func sortable(value string, a asff.Attribute) bool {
	switch a.Kind() {
	case asff.KindDate:
		_, err := asff.ParseTime(value)
		return err == nil
	case asff.KindNumber:
		n, err := strconv.ParseFloat(value, 64)
		return err == nil && !math.IsNaN(n)
	}
	return true
}

// compareValues orders two values that are comparable.
func compareValues(a asff.Attribute, x, y string) int {
	switch a.Kind() {
	case asff.KindDate:
		s, _ := asff.ParseTime(x)
		t, _ := asff.ParseTime(y)
		return s.Compare(t)
	case asff.KindNumber:
		m, _ := strconv.ParseFloat(x, 64)
		n, _ := strconv.ParseFloat(y, 64)
		return cmp.Compare(m, n)
	}
	return compare(a, x, y)
}

// CompareKeys orders two findings by what Key returned for orders.
func CompareKeys(x, y SortKeys, orders []Order) int {
	for i, o := range orders {
		switch {
		case x[i] == "" && y[i] == "":
			continue
		case x[i] == "":
			return 1
		case y[i] == "":
			return -1
		}
		a, _ := nextValue(x[i])
		b, _ := nextValue(y[i])
		c := compareValues(o.Attribute, a, b)
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
