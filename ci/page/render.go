package page

import (
	"bytes"
	"embed"
	"html/template"
	"strings"
	"sync"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/internal/display"
)

// What a page needs is in these folders: templates, and files that browsers get as they are.
var (
	//go:embed html/*.html
	htmlFiles embed.FS
	//go:embed assets/page.css
	style []byte
	//go:embed assets/page.js
	script []byte
	//go:embed assets/page.svg
	icon []byte
)

// templates are those of pages, and below those of pages in a folder, whose links begin
// otherwise. Most commands need neither, so they are parsed when they are first used.
var (
	templates = sync.OnceValue(func() *template.Template { return parse("") })
	below     = sync.OnceValue(func() *template.Template { return parse("../") })
)

// parse parses the templates. root is the way to the first page.
func parse(root string) *template.Template {
	return template.Must(template.New("").Funcs(functions(root)).ParseFS(htmlFiles, "html/*.html"))
}

// functions returns what templates call. root is the way to the first page.
func functions(root string) template.FuncMap {
	return template.FuncMap{
		"root":   func() template.URL { return template.URL(root) },
		"line":   display.Line,
		"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
		"rfc":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"join":   strings.Join,
		"gutter": gutter,
		"with2":  func(page chrome, body any) paired { return paired{page, body} },
		"tab": func(c chrome, part, text string) tab {
			return tab{c.Root + part + ".html", text, c.Part == part}
		},
	}
}

// paired is what a template gets beside the page that it is on.
type paired struct {
	Page  chrome
	Curve any
}

// A tab leads to a part of the page.
type tab struct {
	Href, Text string
	Current    bool
}

// A guttered is the line of a problem, with its number and the place of its caret.
type guttered struct {
	Line         int
	Before, Mark string
	After        string
}

// gutter splits the line of a problem at its place.
func gutter(p ci.Problem) guttered {
	runes := []rune(p.Quote)
	at := min(max(p.Caret-1, 0), len(runes))
	end := at
	for end < len(runes) && runes[end] != ' ' && runes[end] != ':' && runes[end] != ',' {
		end++
	}
	if end == at && end < len(runes) {
		end++
	}
	return guttered{p.Line, display.Line(string(runes[:at])), display.Line(string(runes[at:end])),
		display.Line(string(runes[end:]))}
}

// A chrome is what all pages have, and the body of one.
type chrome struct {
	Title    string
	Part     string // of the navigation
	Root     string // the way to the first page
	Static   bool
	Options  Options
	Problems ci.Problems // of the files, which can't be shown because of them
	Failed   string
	Version  int // of the model, for pages that reload
	Revision int64
	Now      time.Time
	Body     any
	Envs     []string
	Estate   bool
}

// Soon says how far away a time is.
func (c chrome) Soon(t time.Time) string { return soon(t, c.Now) }

// In names environments, for a heading.
func (c chrome) In(names []string) string {
	switch {
	case len(names) == len(c.Envs):
		return "In every environment"
	case strings.Join(names, "") == "":
		return "Without environments"
	}
	return "In " + strings.Join(names, ", ")
}

// render renders the page of a template.
func (c chrome) render(name string) ([]byte, error) {
	var b bytes.Buffer
	set := templates
	if c.Root != "" {
		set = below
	}
	err := set().ExecuteTemplate(&b, name+".html", c)
	return b.Bytes(), err
}
