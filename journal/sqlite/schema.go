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
-- One row is the records of one commit; FORMAT.md says how body is laid out. The two sums say in one look at the first and
-- the last row how much there is, without reading what lies between.
CREATE TABLE block (
	first       INTEGER PRIMARY KEY, -- Seq of the first record
	last        INTEGER NOT NULL,    -- Seq of the last
	arrived     INTEGER NOT NULL,
	records_sum INTEGER NOT NULL,    -- records of this block and of all before it, deleted ones too
	bytes_sum   INTEGER NOT NULL,    -- bytes of the bodies of the same blocks
	body        BLOB NOT NULL
) STRICT;

-- What is in the blocks, to recognise what is delivered again: the alert's own time and its fingerprint. The time comes
-- first in the key: alerts that happen together arrive together, so inserts touch a few neighbouring pages rather than
-- pages all over the index.
CREATE TABLE seen (
	at   INTEGER NOT NULL,
	high INTEGER NOT NULL, -- bytes 0-7 of the fingerprint, little-endian
	low  INTEGER NOT NULL, -- bytes 8-15
	PRIMARY KEY (at, high, low)
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
	cost    INTEGER NOT NULL, -- bytes that count against the bound of the quarantine
	body    BLOB NOT NULL     -- perhaps cut
) STRICT;

-- evicted, discarded: of the quarantine. passed: no Seq up to this is given again. Others are the journal's own.
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor  (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE source (
	way TEXT NOT NULL, host TEXT NOT NULL, cluster TEXT NOT NULL,
	seen INTEGER NOT NULL, count INTEGER NOT NULL,
	PRIMARY KEY (way, host, cluster)
) STRICT, WITHOUT ROWID;

-- One row of a few pages, written anew to find out whether there is room.
CREATE TABLE trial (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
`}

// identify returns the schema version of the file, 0 if it is empty, or why it is none of ours. It changes nothing.
func identify(ctx context.Context, db *sql.Conn) (version int, err error) {
	var app, tables int
	for _, q := range []struct {
		query string
		to    *int
	}{{"PRAGMA application_id", &app}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables}} {
		if err := db.QueryRowContext(ctx, q.query).Scan(q.to); err != nil {
			return 0, fmt.Errorf("read the schema: %w", err)
		}
	}
	switch {
	case app != applicationID && (app != 0 || tables != 0):
		return 0, fmt.Errorf("%w: it is an SQLite file, but not a journal", journal.ErrCorrupt)
	case version > len(migrations):
		return 0, fmt.Errorf("%w (schema %d, this one knows %d)", journal.ErrNewer, version, len(migrations))
	}
	return version, nil
}

// migrate brings the schema up to date from version.
func migrate(ctx context.Context, db *sql.Conn, version int) error {
	if version == len(migrations) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer tx.Rollback()
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(migrations))); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return tx.Commit()
}
