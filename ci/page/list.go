package page

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// rows is how many flags are on a page of a list.
const rows = 200

// A listing is a page of the list of flags.
type listing struct {
	Query  string
	Rows   []row
	Total  int
	Found  int
	Page   int
	Pages  []pageLink
	States []string
	First  string // the environment whose shares are shown, "" if there is one only
	Next   []row  // the flags that change next, the first one first
}

// A pageLink leads to a page of a list.
type pageLink struct {
	Number  int
	Href    string
	Current bool
}

// A row is a flag in the list.
type row struct {
	Key, Description, Owner, Serves string
	Bar                             bar
	Next                            time.Time
	Where                           string // the environment that changes next
	States                          []string
}

// pageLinks returns the links of a list of so many rows. name is the first page's.
func pageLinks(name string, total, current int) []pageLink {
	if total <= rows {
		return nil
	}
	var links []pageLink
	for n := 1; (n-1)*rows < total; n++ {
		links = append(links, pageLink{n, numbered(name, n), n == current})
	}
	return links
}

// numbered returns the name of the nth page of a list.
func numbered(name string, n int) string {
	if n == 1 {
		return name + ".html"
	}
	return fmt.Sprintf("%s-%d.html", name, n)
}

// pageOf returns the part of a list on a page, and whether there is such a page.
func pageOf[T any](list []T, page int) ([]T, bool) {
	from := (page - 1) * rows
	if page < 1 || from >= len(list) && page > 1 {
		return nil, false
	}
	return list[from:min(len(list), from+rows)], true
}

// list returns a page of the flags that a query finds.
func (v *view) list(query string, page int) (listing, bool) {
	found := v.index
	if query != "" {
		found = find(v.index, query)
	}
	shown, ok := pageOf(found, page)
	l := listing{Query: query, Total: len(v.index), Found: len(found), Page: page, States: states}
	if len(v.source.Environments) > 1 {
		l.First = v.source.Environments[0].Name
	}
	if query == "" {
		l.Pages = pageLinks("index", len(found), page)
	}
	if query == "" && page == 1 {
		l.Next = v.soonest()
	}
	for _, e := range shown {
		f := v.byKey[e.Key]
		conditional, shares := served.Now(f.variants[0].flag, v.now.Unix())
		r := row{Key: f.Key, Description: display.Line(f.Description), Owner: display.Line(f.Owner), Serves: e.Serves,
			States: e.States}
		if len(shares) > 1 {
			r.Bar = shareBar(f.variants[0].flag, shares)
			if len(conditional) == 0 {
				r.Serves = "" // the bar says it
			}
		}
		v.setNext(&r, e)
		l.Rows = append(l.Rows, r)
	}
	return l, ok
}

// setNext says when and where a flag changes next.
func (v *view) setNext(r *row, e entry) {
	if e.Changes == 0 {
		return
	}
	r.Next = time.Unix(e.Changes, 0).UTC()
	if len(v.source.Environments) > 1 {
		r.Where = e.Where
	}
}

// maxNext is how many flags are said to change next.
const maxNext = 5

// soonest returns the flags that change next.
func (v *view) soonest() []row {
	var next []entry
	for _, e := range v.index {
		if e.Changes == 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(next, e.Changes+1,
			func(e entry, at int64) int { return cmp.Compare(e.Changes, at) })
		if at < maxNext {
			next = slices.Insert(next, at, e)
			next = next[:min(len(next), maxNext)]
		}
	}
	rows := make([]row, len(next))
	for i, e := range next {
		rows[i].Key = e.Key
		v.setNext(&rows[i], e)
	}
	return rows
}
