package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/eyrie-sec/eyrie/access"
	"github.com/eyrie-sec/eyrie/app"
)

// usersCmd changes who may sign in to the portal. It works on the data directory, so eyrie must not be running on it.
type usersCmd struct {
	Data string `placeholder:"DIR" default:"${data}" env:"EYRIE_DATA" help:"The data directory (default ${data}). Stop the eyrie that runs on it first."`

	List     usersListCmd     `cmd:"" help:"List who may sign in."`
	Add      usersAddCmd      `cmd:"" help:"Add a person; the password is the first line of stdin."`
	Password usersPasswordCmd `cmd:"" help:"Set a person's password; it is the first line of stdin."`
	Link     usersLinkCmd     `cmd:"" help:"Print a link that signs a person in once, within 24 hours: for a forgotten password."`
}

type usersListCmd struct{}

// Run prints a table of users.
func (usersListCmd) Run(s streams, u *usersCmd) error {
	return app.WithAccess(u.Data, s.log, func(a *access.Access) error {
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSINCE\tPASSWORD")
		for _, user := range a.Users() {
			password := "not set"
			if user.PasswordSet {
				password = "set"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", user.Name, user.Created.UTC().Format("2006-01-02 15:04"), password)
		}
		return w.Flush()
	})
}

type usersAddCmd struct {
	Name string `arg:"" help:"The name to sign in with."`
}

// Run adds the user.
func (c usersAddCmd) Run(s streams, u *usersCmd) error {
	password, err := readPassword(s.in)
	if err != nil {
		return err
	}
	return app.WithAccess(u.Data, s.log, func(a *access.Access) error { return a.AddUser(c.Name, password) })
}

type usersPasswordCmd struct {
	Name string `arg:"" help:"The name of the person."`
}

// Run sets the password and ends the person's sessions.
func (c usersPasswordCmd) Run(s streams, u *usersCmd) error {
	password, err := readPassword(s.in)
	if err != nil {
		return err
	}
	return app.WithAccess(u.Data, s.log, func(a *access.Access) error { return a.SetPassword(c.Name, password) })
}

type usersLinkCmd struct {
	Name string `arg:"" help:"The name of the person."`
	URL  string `placeholder:"URL" default:"http://127.0.0.1:8080" help:"Where the portal is (default ${default})."`
}

// Run prints the link.
func (c usersLinkCmd) Run(s streams, u *usersCmd) error {
	return app.WithAccess(u.Data, s.log, func(a *access.Access) error {
		token, err := a.NewLink(c.Name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s/signin?token=%s\n", strings.TrimRight(c.URL, "/"), token)
		return err
	})
}

// readPassword reads the first line of r, without its line end.
func readPassword(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from stdin: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("no password on stdin: pipe it in, such as  pass show eyrie | eyrie users add NAME")
	}
	return line, nil
}
