package sqlite

import (
	"context"
	"database/sql"

	"github.com/eyrie-sec/eyrie/journal"
)

// Known says which of these records are stored, by the alert's time and its fingerprint.
func (s *Store) Known(ctx context.Context, records []journal.Record) ([]bool, error) {
	known := make([]bool, len(records))
	err := s.reading("look for what is stored", func() error {
		st, err := s.db.PrepareContext(ctx, "SELECT 1 FROM seen WHERE at = ? AND high = ? AND low = ?")
		if err != nil {
			return err
		}
		defer st.Close()
		for i := range records {
			at, high, low := identity(&records[i])
			var one int
			switch err := st.QueryRowContext(ctx, at, high, low).Scan(&one); err {
			case nil:
				known[i] = true
			case sql.ErrNoRows:
			default:
				return err
			}
		}
		return nil
	})
	return known, err
}

// Newest returns the latest time of an alert that is stored, in nanoseconds since 1970; false if there is none.
func (s *Store) Newest(ctx context.Context) (at int64, any bool, err error) {
	err = s.reading("look for the newest alert", func() error {
		var newest sql.NullInt64
		err := s.db.QueryRowContext(ctx, "SELECT max(at) FROM seen").Scan(&newest)
		at, any = newest.Int64, newest.Valid
		return err
	})
	return at, any, err
}
