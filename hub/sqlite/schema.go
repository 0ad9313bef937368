package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eyrie-sec/eyrie/hub"
)

// applicationID marks the file as a hub's ("Eyhb"), so that pointing the hub at the journal's file is noticed.
const applicationID = 0x45796862

// migrations[i] brings a file from schema version i (PRAGMA user_version) to i+1. A version that was released is never
// edited: a change is a new entry.
//
// Times are nanoseconds since 1970 UTC, 0 for none. Keys of more than one column are WITHOUT ROWID tables, so that what
// belongs to one finding lies together and costs one B-tree.
var migrations = []string{`
-- One row is one finding. key is the first 16 bytes of the SHA-256 of product_arn, a zero byte and id: a unique index
-- over it costs a tenth of one over the texts. doc stands last, so that the columns before it are read without the
-- document's overflow pages.
CREATE TABLE finding (
	seq            INTEGER PRIMARY KEY,
	key            BLOB    NOT NULL,
	id             TEXT    NOT NULL,
	product_arn    TEXT    NOT NULL,
	occurrences    INTEGER NOT NULL,
	first_observed INTEGER NOT NULL,
	last_observed  INTEGER NOT NULL,
	updated_at     INTEGER NOT NULL,
	imported_at    INTEGER NOT NULL,
	touched        INTEGER NOT NULL,
	workflow       TEXT    NOT NULL,
	severity       TEXT    NOT NULL,
	record_state   TEXT    NOT NULL,
	chunks         INTEGER NOT NULL,
	records        INTEGER NOT NULL,
	text_hash      INTEGER NOT NULL, -- the bits of a uint64
	customer       BLOB,             -- JSON object
	doc            BLOB    NOT NULL  -- JSON object
) STRICT;
CREATE UNIQUE INDEX finding_key ON finding (key);

-- The words of each finding, rowid = seq. The text itself is not kept, nor are positions: words are only ever ANDed.
CREATE VIRTUAL TABLE finding_text USING fts5 (
	words, content='', contentless_delete=1, detail=none, tokenize='ascii'
);
-- Merge eight segments at a time, not four: a search looks at a few more, a commit rewrites less.
INSERT INTO finding_text (finding_text, rank) VALUES ('automerge', 8);

-- id is finding * 1024 + slot: rows of a kilobyte are cheaper to append to a rowid table than to one without.
CREATE TABLE alert_chunk (
	id   INTEGER PRIMARY KEY,
	n    INTEGER NOT NULL,
	body BLOB    NOT NULL
) STRICT;

CREATE TABLE timeline (
	finding INTEGER NOT NULL,
	hour    INTEGER NOT NULL, -- hours since 1970
	count   INTEGER NOT NULL,
	PRIMARY KEY (finding, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
	finding  INTEGER NOT NULL,
	n        INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	created  INTEGER NOT NULL, -- 0 or 1
	source   TEXT    NOT NULL,
	identity TEXT    NOT NULL,
	updates  BLOB,             -- JSON list of [field, old, new]; NULL if empty
	PRIMARY KEY (finding, n)
) STRICT, WITHOUT ROWID;

-- id and product_arn are set on deletions only; else they are the finding's.
CREATE TABLE change (
	seq         INTEGER PRIMARY KEY,
	at          INTEGER NOT NULL,
	kind        INTEGER NOT NULL, -- hub.ChangeKind
	finding     INTEGER NOT NULL,
	id          TEXT,
	product_arn TEXT
) STRICT;

CREATE TABLE activity (
	step     INTEGER NOT NULL, -- seconds: 300 or 3600
	at       INTEGER NOT NULL, -- seconds since 1970
	severity INTEGER NOT NULL, -- hub.SeverityIndex
	count    INTEGER NOT NULL,
	PRIMARY KEY (step, at, severity)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
	source TEXT PRIMARY KEY,
	up_to  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
	kind  TEXT NOT NULL,
	name  TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- One row: the greatest numbers given so far, which deleting rows must not bring back, and the count of findings, which
-- SQLite would have to walk an index for.
CREATE TABLE head (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	finding  INTEGER NOT NULL,
	change   INTEGER NOT NULL,
	findings INTEGER NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, 0, 0);
`}

// migrate brings the file to the newest schema, in one transaction, or refuses it.
func migrate(ctx context.Context, db *sql.DB) error {
	var version, id int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return classify("read the schema version", err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return classify("read the application id", err)
	}
	if id != applicationID && (id != 0 || version != 0) {
		return fmt.Errorf("the file belongs to another application (id %#x): %w", id, hub.ErrCorrupt)
	}
	if version > len(migrations) {
		return fmt.Errorf("schema version %d, this program knows %d: %w", version, len(migrations), hub.ErrNewSchema)
	}
	if version == len(migrations) {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return classify("begin the migration", err)
	}
	defer tx.Rollback()
	for i := version; i < len(migrations); i++ {
		if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
			return classify(fmt.Sprintf("migrate to schema version %d", i+1), err)
		}
	}
	set := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, len(migrations))
	if _, err := tx.ExecContext(ctx, set); err != nil {
		return classify("write the schema version", err)
	}
	return classify("commit the migration", tx.Commit())
}
