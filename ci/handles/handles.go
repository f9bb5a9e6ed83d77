// Package handles finds where Go code reads flags, and compares that with flag files.
//
// Start at [Find] and [Code.Judge]. Find loads packages with the go command, as "go vet" does,
// so the code must compile. Tests aren't looked at.
package handles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/evaluator"
	"golang.org/x/tools/go/packages"
)

// Code is what Go code reads.
type Code struct {
	Reads []Read // sorted by file, line and column

	lines map[string][][]byte // of the files with reads, by path
}

// A Read is a call that names a flag.
type Read struct {
	File         string // as a user would type it
	Line, Column int    // of the key, from 1; columns in characters
	// Key is the flag's key, "" if it isn't a constant.
	Key string
	// Type is what the flag must be; [evaluator.KindNone]: anything. One that is a number
	// may also be an integer.
	Type evaluator.Kind
	Call string // such as "sdk.Bool"
	// Handle is the package variable that the call's result is the value of, such as
	// "flags.NewCart"; "" for other calls.
	Handle string
	// Unused says that no package that was looked at uses Handle.
	Unused bool

	text    string // the default, if it is a constant text
	hasText bool
}

// Find looks for reads of flags in the packages of the folder dir and those below it. If the
// code doesn't compile, the error is [ci.Problems].
func Find(ctx context.Context, dir string) (*Code, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(full); err != nil {
		return nil, fmt.Errorf("reading code: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("reading code: %s is a file; name a folder of Go code", dir)
	}
	f := &finder{dir: dir, full: full, fset: token.NewFileSet(), used: make(map[string]bool),
		code: &Code{lines: make(map[string][][]byte)}}
	loaded, err := packages.Load(&packages.Config{
		Context: ctx, Dir: full, Fset: f.fset,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedTypesSizes | packages.NeedModule,
	}, "./...")
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("reading the code in %s: %w", dir, err)
	case len(loaded) == 0:
		return nil, fmt.Errorf("reading code: there is no Go package in %s", dir)
	}
	if err := f.broken(loaded); err != nil {
		return nil, err
	}
	for _, p := range loaded {
		for _, file := range p.Syntax {
			f.file(p, file)
		}
	}
	return f.finish(), nil
}

// A finder looks through packages.
type finder struct {
	dir, full string // as the user knows it, and from the root
	fset      *token.FileSet
	code      *Code
	used      map[string]bool // package variables that are used
}

// broken returns the errors of packages, if they have some.
func (f *finder) broken(loaded []*packages.Package) error {
	var problems ci.Problems
	var others []error
	packages.Visit(loaded, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			at, ok := position(e.Pos)
			if !ok {
				others = append(others, errors.New(strings.TrimSpace(e.Msg)))
				continue
			}
			problems = append(problems, f.problem(at, strings.TrimSpace(e.Msg)))
		}
	})
	if !all(problems, vague) {
		problems = slices.DeleteFunc(problems, vague)
	}
	if len(problems) > 0 {
		problems.Sort()
		return slices.CompactFunc(problems, func(a, b ci.Problem) bool { return a.Error() == b.Error() })
	}
	if len(others) > 0 {
		return fmt.Errorf("reading the code in %s: %w", f.dir, errors.Join(others...))
	}
	return nil
}

// vague reports whether an error is that of an import for which another one says why.
func vague(p ci.Problem) bool { return strings.HasSuffix(p.Message, `(invalid package name: "")`) }

func all(problems ci.Problems, is func(ci.Problem) bool) bool {
	return !slices.ContainsFunc(problems, func(p ci.Problem) bool { return !is(p) })
}

// file looks through a file of a package.
func (f *finder) file(p *packages.Package, file *ast.File) {
	handles := make(map[ast.Expr]string) // what package variables are the values of
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			value := spec.(*ast.ValueSpec)
			for i, name := range value.Names {
				if len(value.Values) == len(value.Names) && name.Name != "_" {
					handles[ast.Unparen(value.Values[i])] = name.Name
				}
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if v, ok := p.TypesInfo.Uses[n].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
				f.used[v.Pkg().Path()+"."+v.Name()] = true
			}
		case *ast.CallExpr:
			if read, ok := f.call(p.TypesInfo, n); ok {
				if name := handles[n]; name != "" {
					read.Handle = p.PkgPath + "." + name // finish shortens it
				}
				f.code.Reads = append(f.code.Reads, read)
			}
		}
		return true
	})
}

// finish sorts the reads, and finds those whose handle nothing uses.
func (f *finder) finish() *Code {
	reads := f.code.Reads
	for i := range reads {
		r := &reads[i]
		if r.Handle != "" {
			r.Unused = !f.used[r.Handle]
			r.Handle = r.Handle[strings.LastIndexByte(r.Handle, '/')+1:]
		}
	}
	slices.SortFunc(reads, func(a, b Read) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return f.code
}

// shown returns the path of a file as a user would type it.
func (f *finder) shown(path string) string {
	rel, err := filepath.Rel(f.full, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return filepath.Join(f.dir, rel)
}

// line returns a line of a file, "" if there is none.
func (c *Code) line(file, path string, number int) string {
	lines, ok := c.lines[file]
	if !ok {
		data, _ := os.ReadFile(path) // what was loaded can be read, or else nothing is quoted
		lines = bytes.Split(data, []byte("\n"))
		c.lines[file] = lines
	}
	if number < 1 || number > len(lines) {
		return ""
	}
	return strings.TrimSuffix(string(lines[number-1]), "\r")
}

// place returns a position as a user knows it: its file, and the column in characters.
func (f *finder) place(at token.Position) (file string, column int, line string) {
	if !filepath.IsAbs(at.Filename) { // so are those of the go command
		at.Filename = filepath.Join(f.full, at.Filename)
	}
	file = f.shown(at.Filename)
	line = f.code.line(file, at.Filename, at.Line)
	return file, utf8.RuneCountInString(line[:max(0, min(at.Column-1, len(line)))]) + 1, line
}

// problem returns an error at a position.
func (f *finder) problem(at token.Position, message string) ci.Problem {
	file, column, line := f.place(at)
	return problem.New(file, max(at.Line, 1), column, line, message)
}
