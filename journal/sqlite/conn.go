package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
)

// connect opens a pool of connections, each with these pragmas.
func connect(ctx context.Context, path string, conns int, pragmas []string) (*sql.DB, error) {
	q := url.Values{"_pragma": pragmas}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// writer is the one connection that writes, with its prepared statements. It speaks to the driver directly: the locks,
// copies and conversions of database/sql cost as much as a small statement itself. Not safe for concurrent use.
type writer struct {
	db    *sql.DB // of one connection
	conn  *sql.Conn
	raw   driver.ConnPrepareContext // only while do runs
	stmts map[string]driver.Stmt
	args  []driver.NamedValue // reused
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{db: db, conn: conn, stmts: map[string]driver.Stmt{}}, nil
}

// do runs f, within which exec and row may be used.
func (w *writer) do(f func() error) error {
	return w.conn.Raw(func(raw any) error {
		w.raw = raw.(driver.ConnPrepareContext)
		defer func() { w.raw = nil }()
		return f()
	})
}

// exec runs a statement, prepared the first time, and returns how many rows it changed. args are int64, string and []byte;
// they are not kept.
func (w *writer) exec(query string, args ...driver.Value) (int64, error) {
	return w.execNamed(query, w.named(args))
}

func (w *writer) execNamed(query string, args []driver.NamedValue) (int64, error) {
	st, err := w.prepare(query)
	if err != nil {
		return 0, err
	}
	// No context: a transaction is short, and one that is interrupted has to be done again.
	result, err := st.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row runs a query and reads its first row into dest; false if there is none.
func (w *writer) row(dest []driver.Value, query string, args ...driver.Value) (bool, error) {
	st, err := w.prepare(query)
	if err != nil {
		return false, err
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), w.named(args))
	if err != nil {
		return false, err
	}
	err = rows.Next(dest)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	if err == io.EOF {
		return false, nil
	}
	return err == nil, err
}

func (w *writer) prepare(query string) (driver.Stmt, error) {
	if st := w.stmts[query]; st != nil {
		return st, nil
	}
	st, err := w.raw.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = st
	}
	return st, err
}

func (w *writer) named(args []driver.Value) []driver.NamedValue {
	w.args = w.args[:0]
	for i, a := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return w.args
}

func (w *writer) close() error {
	var errs []error
	errs = append(errs, w.do(func() error {
		for _, st := range w.stmts {
			errs = append(errs, st.Close())
		}
		return nil
	}))
	return errors.Join(append(errs, w.conn.Close(), w.db.Close())...)
}
