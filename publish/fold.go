package publish

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/eyrie-sec/eyrie/asff"
)

// occurrencesField is the product field that says how many alerts a finding stands for; absent means one.
const occurrencesField = "eyrie/occurrences"

type key struct{ id, productArn string }

// Fold makes one finding of all with the same Id and ProductArn, in the order of their first appearance: the newest (by
// UpdatedAt, the later in the slice on a tie) with the oldest beginning and the sum of the occurrences. The findings are
// changed.
func Fold(findings []*asff.Finding) []*asff.Finding {
	place := make(map[key]int, len(findings))
	counts := make([]int64, 0, len(findings))
	folded := make([]*asff.Finding, 0, len(findings))
	for _, f := range findings {
		k := key{f.ID, f.ProductArn}
		i, seen := place[k]
		if !seen {
			place[k] = len(folded)
			folded, counts = append(folded, f), append(counts, occurrences(f))
			continue
		}
		counts[i] += occurrences(f)
		newest, other := folded[i], f
		if !before(f.UpdatedAt, newest.UpdatedAt) {
			newest, other = f, newest
		}
		newest.FirstObservedAt = earlier(newest.FirstObservedAt, other.FirstObservedAt)
		newest.CreatedAt = earlier(newest.CreatedAt, other.CreatedAt)
		if before(newest.LastObservedAt, other.LastObservedAt) {
			newest.LastObservedAt = other.LastObservedAt
		}
		folded[i] = newest
	}
	for i, f := range folded {
		if counts[i] > 1 {
			SetOccurrences(f, counts[i])
		}
	}
	return folded
}

// SetOccurrences says that f stands for n alerts. If there is no room among its product fields, one of Falco's goes.
func SetOccurrences(f *asff.Finding, n int64) {
	f.SetProductField(occurrencesField, strconv.FormatInt(n, 10))
}

func occurrences(f *asff.Finding) int64 {
	n, err := strconv.ParseInt(f.ProductFields[occurrencesField], 10, 64)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// before compares two timestamps; one that is no timestamp is before every other.
func before(a, b string) bool {
	tb, err := asff.ParseTime(b)
	if err != nil {
		return false
	}
	ta, err := asff.ParseTime(a)
	return err != nil || ta.Before(tb)
}

// earlier returns the earlier of two timestamps, the other where one is absent.
func earlier(a, b string) string {
	if a == "" || b != "" && before(b, a) {
		return b
	}
	return a
}

// item is an encoded finding on its way.
type item struct {
	id       string
	body     []byte
	attempts int
}

// encode writes the findings as JSON within ASFF's limits. Clamp shrinks what is too large by its stated order; what is
// too large even so is refused here, where its reason can be told.
func encode(findings []*asff.Finding) (items []item, refused []Refused) {
	items = make([]item, 0, len(findings))
	var buffer []byte
	for _, f := range findings {
		buffer = f.AppendJSON(buffer[:0])
		if len(buffer) > asff.MaxFindingBytes {
			f.Clamp()
			buffer = f.AppendJSON(buffer[:0])
		}
		body := bytes.Clone(buffer)
		if len(body) > asff.MaxFindingBytes {
			refused = append(refused, Refused{Finding: body, Reason: "too_large",
				Detail: fmt.Sprintf("%d bytes, Security Hub takes %d", len(body), asff.MaxFindingBytes)})
			continue
		}
		items = append(items, item{id: f.ID, body: body})
	}
	return items, refused
}

// requestOverhead is what a request holds beside its findings: {"Findings":[]} and a comma for each.
const requestOverhead = 16 + asff.MaxImportFindings

// chunks cuts items into requests within the endpoint's limits. Two findings with the same Id never share a request:
// the endpoint names what it refuses by Id alone.
func chunks(items []item) [][]item {
	var all [][]item
	var chunk, later []item
	for len(items) > 0 {
		ids := make(map[string]bool, asff.MaxImportFindings)
		size := requestOverhead
		for _, it := range items {
			if len(chunk) == asff.MaxImportFindings || size+len(it.body) > asff.MaxImportBytes {
				all = append(all, chunk)
				chunk, size = nil, requestOverhead
				clear(ids)
			}
			if ids[it.id] {
				later = append(later, it)
				continue
			}
			ids[it.id] = true
			chunk = append(chunk, it)
			size += len(it.body)
		}
		if len(chunk) > 0 {
			all = append(all, chunk)
		}
		items, chunk, later = later, nil, nil
	}
	return all
}

func bodies(chunk []item) [][]byte {
	b := make([][]byte, len(chunk))
	for i, it := range chunk {
		b[i] = it.body
	}
	return b
}
