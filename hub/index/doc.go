// Package index answers filters, sorts and counts over findings from memory.
//
// In come documents (ASFF JSON) with the hub's number of the finding (Seq); out go sets of Seqs, their order, and counts.
// The package keeps no document, does no input or output but for the snapshot it is handed a reader or writer of, and
// knows no store. What it cannot decide from memory it returns as residual filters, to be tried on documents: it never
// guesses. An Index can be dropped and rebuilt from the documents at any time.
//
// Each attribute (and each frequent key of a map attribute) that occurs has a column, one small value a finding:
//
//	dictionary  strings, addresses, booleans: a code of 1, 2 or 4 bytes into the distinct tuples of values. A filter
//	            is tried once on each distinct tuple, and the codes are scanned with the verdicts.
//	number      float32, where exact
//	time        int64 nanoseconds
//	hashed      strings with too many distinct values for a dictionary: sorted pairs of a 32-bit hash and a row.
//	            EQUALS narrows by the hash; all else is residual.
//
// docs/design/0003-hub-index.md has the reasons and the measurements.
package index
