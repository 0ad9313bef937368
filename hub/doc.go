// Package hub keeps the findings of every cluster, Region and account: it folds new occurrences into the finding they
// belong to, keeps what people decided about it, answers any filter of AWS's GetFindings over millions of findings, and
// tells consumers what changed.
//
// In come findings made from alerts (Observe), findings of any product in AWS's format (Import, AWS's
// BatchImportFindings) and decisions of people (Update, AWS's BatchUpdateFindings). Out go findings, their history, their
// raw alerts, counts and a change feed. The package never speaks HTTP or SQL: the wire API is hub/api, and where things
// are kept is a Store, of which hub/sqlite is one.
//
// A call that changes something returns nil only after the Store has committed it durably. The in-memory index is a
// cache of the Store and may be thrown away at any time. A failing Store fails the call and changes nothing; its errors
// answer errors.Is for ErrFull, ErrReadOnly, ErrCorrupt and ErrLocked. docs/design/0003-hub-index.md explains the index.
package hub
