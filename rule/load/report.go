package load

import (
	"fmt"
	"strings"
)

// Code is Falco's code of an error or a warning.
type Code string

// The codes of errors.
const (
	ErrYAMLParse        Code = "LOAD_ERR_YAML_PARSE"
	ErrYAMLValidate     Code = "LOAD_ERR_YAML_VALIDATE"
	ErrValidate         Code = "LOAD_ERR_VALIDATE"
	ErrCompileCondition Code = "LOAD_ERR_COMPILE_CONDITION"
	ErrCompileOutput    Code = "LOAD_ERR_COMPILE_OUTPUT"
)

// The codes of warnings. The last four are ours.
const (
	WarnUnusedList      Code = "LOAD_UNUSED_LIST"
	WarnUnusedMacro     Code = "LOAD_UNUSED_MACRO"
	WarnNoEventType     Code = "LOAD_NO_EVTTYPE"
	WarnUnknownSource   Code = "LOAD_UNKNOWN_SOURCE"
	WarnUnknownFilter   Code = "LOAD_UNKNOWN_FILTER"
	WarnUnknownItem     Code = "LOAD_UNKNOWN_ITEM"
	WarnUnknownKey      Code = "LOAD_UNKNOWN_KEY"
	WarnDeprecated      Code = "LOAD_DEPRECATED_ITEM"
	WarnAppendNoValues  Code = "LOAD_APPEND_NO_VALUES"
	WarnExceptionName   Code = "LOAD_EXCEPTION_NAME_NOT_UNIQUE"
	WarnMacroName       Code = "LOAD_INVALID_MACRO_NAME"
	WarnListName        Code = "LOAD_INVALID_LIST_NAME"
	WarnCondition       Code = "LOAD_COMPILE_CONDITION"
	WarnUnsafeNA        Code = "LOAD_UNSAFE_NA_CHECK"
	WarnShadowed        Code = "EYRIE_SHADOWED"
	WarnNeverFires      Code = "EYRIE_NEVER_FIRES"
	WarnCostlyEventType Code = "EYRIE_COSTLY_EVTTYPE"
)

// IsOurs says whether Falco has no such code.
func (c Code) IsOurs() bool { return strings.HasPrefix(string(c), "EYRIE_") }

// Diagnostic is one error or warning.
type Diagnostic struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what may have been meant
	File    string `json:"file"`
	Line    int    `json:"line"`           // from 1; 0 where the whole file is meant
	Column  int    `json:"column"`         // in bytes from 1
	Item    string `json:"item,omitempty"` // "rule X", "macro X, condition"
	Snippet string `json:"snippet,omitempty"`
}

// String is the diagnostic in one line, as compilers print them.
func (d *Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
	}
	b.WriteString(": ")
	if d.Item != "" {
		b.WriteString(d.Item + ": ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		b.WriteString(": " + d.Hint)
	}
	return b.String()
}

func (d *Diagnostic) Error() string { return d.String() }

// FileResult is what is to say of one file.
type FileResult struct {
	File     string       `json:"file"`
	Errors   []Diagnostic `json:"errors"`
	Warnings []Diagnostic `json:"warnings"`
}

// OK says whether the file had no error.
func (r *FileResult) OK() bool { return len(r.Errors) == 0 }

// Report is what is to say of a set of files.
type Report struct {
	Files []FileResult `json:"files"`
}

// OK says whether no file had an error.
func (r *Report) OK() bool {
	for i := range r.Files {
		if !r.Files[i].OK() {
			return false
		}
	}
	return true
}

// Err is the first error, nil for none.
func (r *Report) Err() error {
	for i := range r.Files {
		if !r.Files[i].OK() {
			return &r.Files[i].Errors[0]
		}
	}
	return nil
}

// Warnings are the warnings about the whole set: those of the last file, which repeat what was said of earlier ones.
func (r *Report) Warnings() []Diagnostic {
	var out []Diagnostic
	seen := map[Diagnostic]bool{}
	for _, f := range r.Files {
		for _, w := range f.Warnings {
			if !seen[w] {
				seen[w] = true
				out = append(out, w)
			}
		}
	}
	return out
}

// loadError unwinds the reading of one file. It is returned as an error, never panicked with.
type loadError struct {
	code Code
	msg  string
	hint string
	at   place
}

func (e *loadError) Error() string { return e.msg }

func fail(code Code, at place, format string, args ...any) error {
	return &loadError{code: code, at: at, msg: fmt.Sprintf(format, args...)}
}

func invalid(at place, format string, args ...any) error {
	return fail(ErrYAMLValidate, at, format, args...)
}

func inconsistent(at place, format string, args ...any) error {
	return fail(ErrValidate, at, format, args...)
}

// diagnostic places code and msg.
func diagnostic(code Code, msg, hint string, at place) Diagnostic {
	line, col := at.position()
	d := Diagnostic{Code: code, Message: msg, Hint: hint, Line: line, Column: col, Item: at.item}
	if at.doc != nil {
		d.File = at.doc.name
		d.Snippet = at.doc.snippet(line, col)
	}
	return d
}
