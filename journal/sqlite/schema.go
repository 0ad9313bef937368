package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eyrie-sec/eyrie/journal"
)

// applicationID marks the file as a journal ("Eyjo"), so that another SQLite file in its place is noticed.
const applicationID = 0x45796a6f

// migrations[i] brings a file from schema version i (PRAGMA user_version) to i+1. A version that was released is never
// edited: a change is a new entry. Times are nanoseconds since 1970 UTC.
var migrations = []string{`
-- One row is the records of one commit; block.go says how body is laid out.
CREATE TABLE block (
	first    INTEGER PRIMARY KEY, -- Seq of the first record
	last     INTEGER NOT NULL,    -- Seq of the last
	records  INTEGER NOT NULL,
	arrived  INTEGER NOT NULL,
	body     BLOB NOT NULL
) STRICT;

-- What is in the blocks, to recognise what is delivered again. The alert's own time comes first in the key: alerts that
-- happen together arrive together, so inserts touch a few neighbouring pages rather than pages all over the index.
CREATE TABLE seen (
	at          INTEGER NOT NULL,
	fingerprint BLOB    NOT NULL, -- 16 bytes
	PRIMARY KEY (at, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	arrived INTEGER NOT NULL,
	way     TEXT NOT NULL,
	account TEXT NOT NULL,
	region  TEXT NOT NULL,
	cluster TEXT NOT NULL,
	reason  TEXT NOT NULL,
	detail  TEXT NOT NULL,
	size    INTEGER NOT NULL, -- bytes as received
	body    BLOB NOT NULL     -- perhaps cut
) STRICT;

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor  (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE source (
	way TEXT NOT NULL, host TEXT NOT NULL, cluster TEXT NOT NULL,
	seen INTEGER NOT NULL, count INTEGER NOT NULL,
	PRIMARY KEY (way, host, cluster)
) STRICT, WITHOUT ROWID;
`}

// migrate brings the schema up to date. base is the Seq before the first one of a new journal.
func migrate(ctx context.Context, db *sql.DB, base int64) error {
	var app, version, tables int
	for _, q := range []struct {
		query string
		to    *int
	}{{"PRAGMA application_id", &app}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables}} {
		if err := db.QueryRowContext(ctx, q.query).Scan(q.to); err != nil {
			return classify("read the schema", err)
		}
	}
	switch {
	case app != applicationID && (app != 0 || tables != 0):
		return fmt.Errorf("%w: it is an SQLite file, but not a journal", journal.ErrCorrupt)
	case version > len(migrations):
		return fmt.Errorf("%w (schema %d, this one knows %d)", journal.ErrNewer, version, len(migrations))
	case version == len(migrations):
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return classify("migrate", err)
	}
	defer tx.Rollback()
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return classify("migrate", err)
		}
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, "INSERT INTO counter VALUES ('base', ?)", base); err != nil {
			return classify("migrate", err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(migrations))); err != nil {
		return classify("migrate", err)
	}
	return classify("migrate", tx.Commit())
}
