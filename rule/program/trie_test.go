package program

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTablesAgreeWithLoops compares tries and word tables with the loops they stand for.
func TestTablesAgreeWithLoops(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, rng.IntN(12))
		for i := range b {
			b[i] = "ab/"[rng.IntN(3)]
			if rng.IntN(20) == 0 {
				b[i] = byte(rng.IntN(256))
			}
		}
		return string(b)
	}
	for range 200 {
		var heads, tails bitTrie
		var table wordTable
		words := make([]string, rng.IntN(maxBits))
		for i := range words {
			words[i] = word()
			heads.add(words[i], int32(i))
			tails.add(reversed(words[i]), int32(i))
			table.add(words[i], int32(i))
		}
		heads.finish()
		tails.finish()
		for range 50 {
			s := word()
			var gotHeads, gotTails, gotEqual, wantHeads, wantTails, wantEqual bitRow
			heads.collect(s, &gotHeads)
			tails.collectEnd(s, &gotTails)
			if len(table.rows) > 0 {
				gotEqual = table.rows[table.find(s)]
			}
			for i, w := range words {
				if strings.HasPrefix(s, w) {
					wantHeads.set(int32(i))
				}
				if strings.HasSuffix(s, w) {
					wantTails.set(int32(i))
				}
				if s == w {
					wantEqual.set(int32(i))
				}
			}
			if gotHeads != wantHeads || gotTails != wantTails || gotEqual != wantEqual {
				t.Fatalf("%q in %q: got %x %x %x, want %x %x %x", s, words, gotHeads, gotTails, gotEqual, wantHeads, wantTails, wantEqual)
			}
		}
	}
}
