package page

import (
	"context"
	options "flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
)

var update = options.Bool("update", false, "write the golden files")

// testTime is when tests look at flags.
var testTime = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// golden compares a text with a golden file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", name, diff)
	}
}

// testEstate returns the flags of testdata, with one plan on its way and another rolled back.
func testEstate(t testing.TB) *ci.Estate {
	t.Helper()
	estate, err := ci.Load("testdata/flags")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(ci.ReleaseLines)
	for _, p := range estate.Plans("production") {
		line := ci.NewReleaseLine(p).Clear(p, 3, testTime.Add(-22*time.Hour), "guard")
		if p.Flag == "broken-index" {
			line = line.RollBack(p, 0, "errors: 12 of 2000 <b>against</b> 3", testTime.Add(-2*time.Hour), "guard")
		}
		lines[line.Key()] = line
	}
	return estate.WithReleases(lines)
}

// testModel returns a model of the flags of testdata.
func testModel(t testing.TB) *Model {
	t.Helper()
	return modelOf(t, testEstate(t))
}

// modelOf returns a model of an estate, with the decisions of testdata.
func modelOf(t testing.TB, estate *ci.Estate) *Model {
	t.Helper()
	s := Source{Estate: estate, Reads: map[string][]string{"cart": {"shop/cart.go:12", "shop/<b>.go:3"}}}
	for _, env := range estate.Environments() {
		payloads, err := estate.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		s.Environments = append(s.Environments,
			Environment{env, payloads, estate.Plans(env), estate.Releases().Of(env)})
	}
	var err error
	if s.Records, err = plans.ReadRecords(os.DirFS("testdata/flags")); err != nil {
		t.Fatal(err)
	}
	m, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// testOptions returns options with all parts.
func testOptions(t testing.TB) Options {
	fsys := os.DirFS("testdata/flags")
	propose := func(ctx context.Context, texts []string, write bool) (Proposal, error) {
		var edits []edit.Edit
		for _, text := range texts {
			e, err := edit.Parse(text)
			if err != nil {
				return Proposal{}, err
			}
			edits = append(edits, e)
		}
		result, err := edit.Apply(fsys, "flags", edits)
		if err != nil {
			return Proposal{}, err
		}
		p := Proposal{Patch: string(result.Changes[0].After),
			Report: compare(t, strings.Join(texts, ";"), result.Old, result.New)}
		if write {
			p.Wrote = []string{result.Changes[0].Path}
		}
		return p, nil
	}
	return Options{
		Folder: "flags", Repository: "https://github.com/example/flags", Live: true, Old: "git:HEAD", Propose: propose,
		Compare: func(_ context.Context, old, new string) (diff.Report, error) {
			result, err := edit.Apply(fsys, "flags", []edit.Edit{mustParse(t, `share cart "everyone in 拉萨" on=60%`),
				mustParse(t, "disable colors in staging")})
			if err != nil {
				return diff.Report{}, err
			}
			report := compare(t, "revisions", result.Old, result.New)
			report.Old, report.New = old, new
			return report, nil
		},
		History: func(_ context.Context, flag release.FlagName) (release.History, error) {
			var change release.FlagChange
			if flag.Key != "" {
				change = release.FlagChanged
			}
			return release.History{Environment: "production", Entries: []release.Entry{
				{Revision: 2, Standing: release.StandingPublished, Signed: true, Flag: change,
					Changed: []string{"secret", "shop"}, Provenance: release.Provenance{
						Author: "安娜 <b>", Reason: "rolls back <script>", Time: testTime.Add(-time.Hour), RollbackOf: 1,
						RunURL: "javascript:alert(1)", Commit: "0123456789abcdef"}},
				{Revision: 1, Standing: release.StandingPublished, Signed: true, Added: []string{"secret", "shop"}, Provenance: release.Provenance{Time: testTime.Add(-2 * time.Hour)}},
			}}, nil
		},
	}
}

func mustParse(t testing.TB, text string) edit.Edit {
	e, err := edit.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// reports are those that compare has made, by what it compared: comparing takes long.
var reports = make(map[string]diff.Report)

// compare compares two estates. what tells them from others.
func compare(t testing.TB, what string, old, new *ci.Estate) diff.Report {
	if r, ok := reports[what]; ok {
		return r
	}
	c := diff.Config{Now: testTime.Unix()}
	for _, env := range new.Environments() {
		before, err := old.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		after, err := new.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		c.Pairs = append(c.Pairs, diff.Pair{Environment: env, Old: before, New: after})
	}
	report, err := diff.Compare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	reports[what] = report
	return report
}

// testHandler returns a handler of the flags of testdata at the time of tests.
func testHandler(t testing.TB, o Options) *Handler {
	h := NewHandler(o)
	h.forms = []string{"disable FLAG", "share FLAG RULE VARIANT=SHARE…"} // others come with time
	h.clock = func() time.Time { return testTime }
	h.Update(testModel(t), nil)
	return h
}

// A testPage is a page. Submit is the button that is pressed on it, if there is one.
type testPage struct{ Name, Path, Submit string }

// testPages are all pages of the flags of testdata.
var testPages = []testPage{
	{"index", "", ""}, {"found", "index.html?q=ramping", ""}, {"matrix", "matrix.html", ""}, {"attention", "attention.html", ""}, {"usage", "usage.html", ""},
	{"changes", "changes.html", ""}, {"history", "history.html", ""}, {"history-of-cart", "history.html?flag=cart", ""}, {"propose", "propose.html?edit=disable%20cart", ""}, {"proposed", "propose.html?edit=disable%20colors", "#propose-form button"},
	{"cart", "flag/cart.html", ""}, {"hostile", "flag/hostile.html", ""}, {"colors", "flag/colors.html", ""}, {"off", "flag/off.html", ""}, {"ramp", "flag/ramp.html", ""},
	{"new-index", "flag/new-index.html", ""}, {"broken-index", "flag/broken-index.html", ""}, {"hidden-flag", "flag/hidden-flag.html", ""},
}

func get(t testing.TB, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+path, nil))
	return w.Code, w.Body.String()
}

func post(h http.Handler, path string, form url.Values, header map[string]string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range header {
		switch name {
		case "Host":
			r.Host = value
		case "From":
			r.RemoteAddr = value
		default:
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestSentences holds how rules, segments, and what needs attention read.
func TestSentences(t *testing.T) {
	v := newView(testModel(t), nil, testTime)
	var b strings.Builder
	for _, f := range v.flags {
		w := v.flagView(f.Key)
		for _, is := range w.Variations {
			fmt.Fprintf(&b, "%s %s: %s\n", f.Key, is.Title, is.Serves)
			for _, r := range is.Rules {
				fmt.Fprintf(&b, "  %s\n    %s\n    %s; %s\n", r.Name, r.Words, r.Bar.Label, r.Test)
				for _, warning := range r.Warnings {
					fmt.Fprintf(&b, "    warning: %s\n", warning)
				}
			}
			for _, c := range is.Curves {
				fmt.Fprintf(&b, "  %s\n    %s\n    %s\n", c.Label, c.Done, c.Next)
				if !c.NextAt.IsZero() {
					fmt.Fprintf(&b, "    next: %s %s\n", c.NextShare, soon(c.NextAt, testTime))
				}
			}
		}
	}
	for _, s := range v.usages().Segments {
		fmt.Fprintf(&b, "segment %s: %s\n", s.Name, s.Words)
	}
	for _, o := range v.attention() {
		fmt.Fprintf(&b, "%s\n", o.Owner)
		for _, c := range o.Concerns {
			fmt.Fprintf(&b, "  %s: %s: %s\n", c.Key, c.What, c.Text)
		}
	}
	golden(t, "sentences.golden", b.String())
}

// inline matches what the page's policy forbids, and quoted what is in quotes.
var (
	inline = regexp.MustCompile(`(?i)<style|\sstyle=|<script>|<script [^>]*>[^<]|<[^>]*\son[a-z]+=|<iframe|<img`)
	quoted = regexp.MustCompile(`"[^"]*"`)
	scheme = regexp.MustCompile(`(?i)(?:href|src|action)="(?:javascript|data|//)[^"]*"`)
)

// TestPages holds that every page is there and has nothing inline, whatever the names are.
func TestPages(t *testing.T) {
	h := testHandler(t, testOptions(t))
	for _, p := range testPages {
		status, body := get(t, h, p.Path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", p.Name, status)
		}
		if found := scheme.FindString(body); found != "" {
			t.Errorf("%s leads to %s", p.Name, found)
		}
		if found := inline.FindString(quoted.ReplaceAllString(body, `""`)); found != "" {
			t.Errorf("%s has %q in it", p.Name, found)
		}
		if strings.ContainsAny(body, "\u202e") {
			t.Errorf("%s has a character that turns text around", p.Name)
		}
	}
	for _, path := range []string{"index-2.html", "index-1.html", "index-x.html", "matrix-9.html", "flag/none.html",
		"none.html", "flag/../index.html"} {
		if status, body := get(t, h, path); status != http.StatusNotFound || !strings.Contains(body, "All flags") {
			t.Errorf("%s: status %d", path, status)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'self'; ") {
		t.Errorf("the policy is %q", got)
	}
}
