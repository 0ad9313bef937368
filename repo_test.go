// Package repo holds no code. Its test reads the sources of the whole repository and checks what STYLE and the design
// promise of them: who may import whom, package comments, sizes, the folders that exist, and that no file speaks of
// the machine it was written on.
package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/eyrie-sec/eyrie"

// mayImport says which folders of ours a folder may import besides internal/. A folder that is not listed may import
// nothing of ours. "*" is assembly: it names every part; "x/..." is x and
// every folder below it.
var mayImport = map[string][]string{
	"falco":               {},
	"asff":                {},
	"rule":                {"falco", "rule/..."},
	"convert":             {"falco", "asff"},
	"convert/settings":    {"convert", "etc"},
	"journal":             {"falco"},
	"journal/journaltest": {"falco", "journal"},
	"journal/block":       {"falco", "journal"},
	"journal/ahead":       {"falco", "journal", "journal/block"},
	"journal/sqlite":      {"falco", "journal", "journal/block"},
	"collect/webhook":     {"falco", "journal"}, // an adapter of the journal: Entry and Rejected are what it hands over
	"collect/tail":        {"falco"},
	"collect/spool":       {},
	"collect/ship":        {"falco", "collect/spool"},

	"collect/ship/cloudwatch": {"falco", "collect/ship"},
	"collect/agent":           {"falco", "collect/tail", "collect/spool", "collect/ship", "collect/ship/cloudwatch"},
	"hub":                     {"falco", "asff", "hub/index"},
	"hub/index":               {"asff"},
	"hub/hubtest":             {"asff", "hub"},
	"hub/sqlite":              {"asff", "hub"},
	"hub/api":                 {"asff", "hub", "hub/api/...", "access/sigv4"},
	"access":                  {},
	"portal":                  {"falco", "asff", "hub", "access", "portal/..."},
	"publish":                 {"asff"},

	"publish/securityhub": {"publish"},
	"publish/quarantine":  {},
	"publish/archive":     {"asff", "publish"},
	"collect/cwlogs":      {"falco"},
	"enrich":              {"asff"},
	"enrich/ec2":          {"asff", "enrich"},
	"enrich/ecs":          {"asff", "enrich"},
	"cmd/eyrie-lambda":    {"*"},
	"simulate":            {},
	"etc":                 {},
	"detect":              {"falco", "rule", "rule/..."},
	"sensor":              {"rule", "rule/...", "sensor/..."},
	"sensor/args":         {"rule/event", "rule/field", "sensor/raw", "sensor/args/..."},
	"sensor/truth":        {"falco", "rule/field"},
	"sensor/abi":          {},
	"sensor/raw":          {},
	"sensor/bpf":          {},
	"sensor/filter":       {"rule", "rule/..."},
	"sensor/kernel":       {"rule/field", "sensor/raw", "sensor/bpf", "sensor/filter"},

	"deploy/aws/template":  {},
	"deploy/aws/code":      {},
	"deploy/aws/price":     {},
	"deploy/aws/code/pack": {"deploy/aws/code"},
	"deploy/aws/stack":     {"deploy/aws/code", "deploy/aws/template"},
	"deploy/aws/cfntest":   {},                     // reads templates for tests
	"deploy/aws/awsfake":   {"deploy/aws/cfntest"}, // AWS for tests

	"app":       {"*"},
	"cmd/eyrie": {"*"},
	"bench":     {"*"},
}

// onlyIn says in which folders a third-party module may be imported by code that ships.
var onlyIn = map[string][]string{
	"github.com/aws/":          {"deploy/aws/stack", "publish", "enrich/ec2", "enrich/ecs", "collect/ship/cloudwatch", "app", "cmd", "bench"},
	"modernc.org/sqlite":       {"journal/sqlite", "hub/sqlite"},
	"database/sql":             {"journal/sqlite", "hub/sqlite"},
	"github.com/cilium/ebpf":   {"sensor"},
	"go.yaml.in/yaml":          {"convert/settings", "deploy/aws/cfntest", "rule", "app"},
	"github.com/alecthomas/":   {"cmd"},
	"github.com/chromedp/":     {},
	"pgregory.net/rapid":       {},
	"github.com/google/go-cmp": {"hub/hubtest", "journal/journaltest"},
}

// Soft limits in lines. A file, function or package over its limit stands in `large` with a reason, or is split.
const (
	maxFile     = 500
	maxFunction = 60
	maxPackage  = 2500
)

// large lists what may be over a limit, and why.
var large = map[string]string{
	"rule/load":  "a fifth is Falco's own checks of a file's shape, one message each",
	"rule/match": "the reference that the compiled program is compared with; one file an operator family",
	"convert":    "a fifth is tables: MITRE's techniques and tactics, the keys of product fields, identity of single rules",
	"hub/index":  "columns, their snapshot and their queries know each other's layout",
	"asff":       "a third is tables: the format's members, limits and 107 filter attributes; filters and findings share their scanner",
	"hub":        "one type, one file an operation; what could leave it has (index, sqlite, api)",
	"portal":     "one file a page; charts, sentences and text have packages of their own",
}

// topFolders are the folders of the design's tree; one is made only when it has real content.
var topFolders = []string{
	"cmd", "app", "falco", "asff", "rule", "sensor", "detect", "collect", "journal", "convert", "enrich", "publish", "hub",
	"aggregate", "alarm", "remediate", "forward", "portal", "simulate", "access", "deploy", "etc", "bench", "docs", "internal",
}

type source struct {
	path string // slash separated, from the root of the repository
	test bool
	file *ast.File
	set  *token.FileSet
	text []byte
}

func (s source) folder() string { return path.Dir(s.path) }

func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(p), strings.HasSuffix(p, "_test.go"), file, set, text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.path, "internal/") {
			continue
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			line := s.line(spec.Pos())
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
				if allowed := mayImport[owner(s.folder())]; !permitted(allowed, ours) {
					t.Errorf("%s:%d: %s may not import %s; it may import %q and internal/", s.path, line, s.folder(), ours, allowed)
				}
				continue
			}
			for prefix, folders := range onlyIn {
				if strings.HasPrefix(imported, prefix) && !slices.ContainsFunc(folders, func(f string) bool { return within(s.folder(), f) }) {
					t.Errorf("%s:%d: %s is imported outside of %q", s.path, line, imported, folders)
				}
			}
		}
	}
}

// owner is the folder of mayImport that folder belongs to: itself or its nearest listed parent.
func owner(folder string) string {
	for f := folder; f != "."; f = path.Dir(f) {
		if _, ok := mayImport[f]; ok {
			return f
		}
	}
	return folder
}

func permitted(allowed []string, ours string) bool {
	if within(ours, "internal") {
		return true
	}
	for _, a := range allowed {
		if parent, tree := strings.CutSuffix(a, "/..."); a == "*" || a == ours || tree && within(ours, parent) {
			return true
		}
	}
	return false
}

func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !ast.IsGenerated(s.file) {
				t.Errorf("%s:%d: no work in init: call it from app", s.path, s.line(f.Pos()))
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	commented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test && s.folder() != "." {
			continue
		}
		commented[s.folder()] = commented[s.folder()] || s.file.Doc != nil && len(s.file.Doc.Text()) > 80
	}
	for folder, ok := range commented {
		if !ok {
			t.Errorf("%s: no package comment that says what comes in, what goes out, what it never does and how it fails", folder)
		}
	}
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil && !obviousMethods[d.Name.Name] {
					t.Errorf("%s:%d: %s has no doc comment", s.path, s.line(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil && ts.Comment == nil {
						t.Errorf("%s:%d: type %s has no doc comment", s.path, s.line(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	}
}

// obviousMethods implement interfaces of the standard library whose documentation says it all.
var obviousMethods = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true, "ServeHTTP": true, "Close": true, "Len": true, "Less": true,
	"Swap": true, "Push": true, "Pop": true, "Read": true, "Write": true, "Flush": true, "WriteHeader": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "Describe": true, "Collect": true,
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	expr := f.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if index, ok := expr.(*ast.IndexExpr); ok {
		expr = index.X
	}
	name, ok := expr.(*ast.Ident)
	return ok && name.IsExported()
}

func TestSizes(t *testing.T) {
	packages := map[string]int{}
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) {
			continue
		}
		lines := strings.Count(string(s.text), "\n")
		packages[s.folder()] += lines
		if lines > maxFile && large[s.path] == "" {
			t.Errorf("%s has %d lines, over %d: split it, or list it in `large` with a reason", s.path, lines, maxFile)
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := s.path + ":" + f.Name.Name
			if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > maxFunction && large[name] == "" && large[s.path] == "" {
				t.Errorf("%s has %d lines, over %d: split it, or list it in `large` with a reason", name, n, maxFunction)
			}
		}
	}
	for folder, lines := range packages {
		if lines > maxPackage && large[folder] == "" {
			t.Errorf("package %s has %d lines, over %d: split it, or list it in `large` with a reason", folder, lines, maxPackage)
		}
	}
	for name := range large {
		file, _, _ := strings.Cut(name, ":")
		if _, err := os.Stat(file); err != nil {
			t.Errorf("`large` lists %s, which is gone", name)
		}
	}
}

func TestFolders(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topFolders, e.Name()) && e.Name() != "bin" && e.Name() != "dist" {
			t.Errorf("folder %s is not in the design's tree", e.Name())
		}
	}
}

// TestNoTraces: the repository speaks of the product alone. The words are put together here so that this file passes.
func TestNoTraces(t *testing.T) {
	traces := []string{"/" + "work/main", "/" + "work/shared", "/tmp/" + "eyrie/", "proxy." + "golang.org", "deb." + "debian.org", "registry." + "npmjs.org"}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (p == ".git" || p == "bin" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || p == ".git" || strings.HasSuffix(p, ".png") || p == "eyrie" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, trace := range traces {
			if strings.Contains(string(text), trace) {
				t.Errorf("%s holds %q", p, trace)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
