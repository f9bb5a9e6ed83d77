//go:build unix

package page

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/internal/needs"
	"github.com/serin-flags/serin/internal/npmtest"
)

// scripts is where the npm packages of the browser tests are.
const scripts = "../../testdata/js/page"

// A browserLine is what page.mjs prints.
type browserLine struct {
	Axe        string              `json:"axe"`
	Violations []string            `json:"violations"`
	Wide       string              `json:"wide"`
	By         int                 `json:"by"`
	Tree       string              `json:"tree"`
	Text       string              `json:"text"`
	Keyboard   []string            `json:"keyboard"`
	Found      string              `json:"found"`
	Answer     string              `json:"answer"`
	Finds      map[string][]string `json:"finds"`
	Task       string              `json:"task"`
	Clicks     int                 `json:"clicks"`
	Typing     bool                `json:"typing"`
	Problem    string              `json:"problem"`
	Kept       string              `json:"kept"`
	Times      map[string]float64  `json:"times"`
	Error      string              `json:"error"`
}

// browse runs page.mjs and calls look with each of its lines.
func browse(t testing.TB, input map[string]any, look func(browserLine)) {
	t.Helper()
	input["chromium"] = needs.Command(t, "chromium", "chromium-browser", "google-chrome")
	npmtest.Install(t, scripts)
	lines := bufio.NewScanner(npmtest.Run(t, scripts, "page.mjs", input))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l browserLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Error != "" {
			t.Errorf("the browser complains: %s", l.Error)
		}
		look(l)
	}
}

// TestBrowser looks at every page in Chromium as people do: by eye, with a screen reader, and
// with the keyboard alone; light and dark, on a phone and on a large screen. axe-core must find
// nothing, and nothing may be cut off. SERIN_SHOTS names a folder for screenshots.
func TestBrowser(t *testing.T) {
	h := testHandler(t, testOptions(t))
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close()
	var pages []map[string]string
	for _, p := range testPages {
		if !slices.Contains([]string{"found", "hidden-flag", "off", "broken-index"}, p.Name) { // much like others
			pages = append(pages, map[string]string{"name": p.Name, "path": p.Path, "submit": p.Submit})
		}
	}
	var queries []string
	for q := range searches {
		queries = append(queries, q)
	}
	looked, trees, done := 0, 0, 0
	var last browserLine
	browse(t, map[string]any{
		"base": server.URL + "/", "pages": pages, "trees": true, "flag": "cart", "off": "colors",
		"search": "owner:结账", "queries": queries, "shots": os.Getenv("SERIN_SHOTS"),
	}, func(l browserLine) {
		switch {
		case l.Axe != "":
			looked++
			for _, v := range l.Violations {
				t.Errorf("%s: %s", l.Axe, v)
			}
		case l.Wide != "" && l.By > 0:
			t.Errorf("%s is %d pixels too wide", l.Wide, l.By)
		case l.Tree != "":
			trees++
			golden(t, "trees/"+l.Tree+".golden", l.Text+"\n")
		case l.Keyboard != nil:
			want := []string{"Skip to the content", "Flags", "Environments", "Needs attention", "Usage",
				"Who changes", "History", "Propose an edit", "search"}
			if diff := cmp.Diff(want, l.Keyboard); diff != "" {
				t.Errorf("what Tab reaches (-want +got):\n%s", diff)
			}
			if l.Found != "1 of 8 flags." || !strings.HasPrefix(l.Answer, "cart serves on: the rule “测试人员” matched") {
				t.Errorf("the keyboard finds %q and gets the answer %q", l.Found, l.Answer)
			}
		case l.Finds != nil:
			for q, want := range searches {
				if !slices.Equal(l.Finds[q], want) {
					t.Errorf("in the browser, %q finds %q, not %q", q, l.Finds[q], want)
				}
			}
		case l.Task != "":
			done++
			want, ok := tasks[l.Task]
			if !ok || l.Clicks > want.clicks {
				t.Errorf("%s: %d clicks", l.Task, l.Clicks)
			}
			for _, part := range want.learns {
				if !strings.Contains(l.Text, part) {
					t.Errorf("%s: the page lacks %q:\n%s", l.Task, part, l.Text)
				}
			}
		case l.Typing:
			h.Update(nil, ci.Problems{{File: "flags/shop/cart.yaml", Line: 4, Column: 1,
				Message: `unknown key "defualt"`, Quote: "defualt: off", Caret: 1}})
		}
		last = l
	})
	if looked != 4*len(pages) || trees != len(pages) || done != len(tasks) {
		t.Errorf("looked %d times, at %d trees, and did %d tasks", looked, trees, done)
	}
	if !strings.Contains(last.Problem, `flags/shop/cart.yaml:4:1 4 defualt: off unknown key "defualt"`) ||
		last.Kept != `{"targetingKey": "typed"}` {
		t.Errorf("while somebody types, the page says %q and keeps %q", last.Problem, last.Kept)
	}
}

// tasks are what people come for: how many clicks it takes at most, and what they learn.
var tasks = map[string]struct {
	clicks int
	learns []string
}{
	"why does u-42 see it": {1,
		[]string{"cart serves off: no rule matched", `user is one of 2 IDs: it is "u-42"`}},
	"why does the user of a test see it": {1, []string{"cart serves on: the rule “测试人员” matched"}},
	"who is affected by this pull request": {2, []string{"colors changed",
		"70% of the users it is about get a different value.", "From git:main to the files as they are"}},
	"what changes next": {0,
		[]string{"Changes next: ramp in 1 h (production, staging); new-index in 2 h (production); "}},
	"who owns what has expired": {1, []string{"cart expired", "结账团队"}},
	"propose turning it off": {3,
		[]string{"serin apply 'disable colors'", "open a prefilled issue", "enabled: false", "70% of the users"}},
}

// BenchmarkTenThousand measures the page with 10,000 flags in Chromium: the first paint, a search,
// and an answer. It also looks at a page of the list as TestBrowser does.
func BenchmarkTenThousand(t *testing.B) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "shop"), 0o777); err != nil {
		t.Fatal(err)
	}
	put("serin.yaml", "environments: [production, staging]\nunit: user\n")
	put("context.yaml", "attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n  plan: {type: string, enum: [free, plus]}\n")
	for i := range 10_000 {
		put(fmt.Sprintf("shop/flag-%05d.yaml", i), fmt.Sprintf(`description: 第 %d 个
owner: team-%d
type: boolean
default: off
rules:
  - {name: cities, when: {city: [city-%d, city-%d], plan: plus}, serve: on}
  - {name: some, serve: {on: %d%%, off: rest}}
`, i, i%50, i%300, i%77, 1+i%98))
	}
	estate, err := ci.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := NewHandler(Options{Folder: "flags"})
	h.Update(modelOf(t, estate), nil)
	server := httptest.NewServer(h)
	defer server.Close()
	var times map[string]float64
	looked := 0
	browse(t, map[string]any{
		"base": server.URL + "/", "flag": "flag-07777", "search": "owner:team-27 city-177", "measure": true,
		"pages": []map[string]string{{"name": "many", "path": "index-2.html"}},
	}, func(l browserLine) {
		if l.Times != nil {
			times = l.Times
		}
		if l.Axe != "" {
			looked++
		}
		for _, v := range l.Violations {
			t.Errorf("%s: %s", l.Axe, v)
		}
	})
	if len(times) != 3 || looked != 4 {
		t.Fatalf("%d times were measured, and %d looks", len(times), looked)
	}
	t.ReportMetric(0, "ns/op")
	t.ReportMetric(times["firstPaint"], "ms/paint")
	t.ReportMetric(times["search"], "ms/search")
	t.ReportMetric(times["why"], "ms/why")
}
