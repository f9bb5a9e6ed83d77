package page

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	options "flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// TestNoIDs holds that no page, no answer and no site shows the members of a list.
func TestNoIDs(t *testing.T) {
	id := regexp.MustCompile(`hidden-id-\d|900000000\d`)
	check := func(where, body string) {
		t.Helper()
		if found := id.FindString(body); found != "" {
			t.Errorf("%s shows %s", where, found)
		}
	}
	o := testOptions(t)
	o.Live = false
	h := testHandler(t, o)
	for _, p := range testPages {
		_, body := get(t, h, p.Path)
		check(p.Name, body)
	}
	_, body := get(t, h, "index.json")
	check("the index", body)
	for _, env := range []string{"production", "staging"} {
		_, body = post(h, "flag/cart.html",
			url.Values{"environment": {env}, "context": {`{"targetingKey": "u-1", "city": "北京"}`}}, nil)
		check("an answer in "+env, body)
	}
	dir := t.TempDir()
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	for _, name := range siteNames(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		check("the site's "+name, string(data))
	}
}

// TestNoIDsOfBundles holds that no page about published flags shows the members of a list, which
// there look like any other values, and that values which can't be IDs are shown.
func TestNoIDsOfBundles(t *testing.T) {
	payloads, err := testEstate(t).Compile("production")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Source{Environments: []Environment{{Name: "production", Payloads: payloads}}})
	if err != nil {
		t.Fatal(err)
	}
	h := handlerAt(m, testTime)
	for _, path := range []string{"", "index.json", "usage.html", "flag/cart.html"} {
		_, body := get(t, h, path)
		if found := regexp.MustCompile(`hidden-id-\d|900000000\d`).FindString(body); found != "" {
			t.Errorf("%s shows %s", path, found)
		}
		if path == "flag/cart.html" && !strings.Contains(body, "拉萨&#34;</code>") {
			t.Errorf("%s doesn't show a city:\n%s", path, body)
		}
	}
}

// TestNamespaces holds that somebody who may not see a flag learns nothing of it, not even
// from the flags that ask for it.
func TestNamespaces(t *testing.T) {
	o := testOptions(t)
	o.Propose, o.Live = nil, false
	o.Admit = func(http.ResponseWriter, *http.Request) (Sees, bool) {
		return func(key, _ string, _ bool) bool { return key != "hidden-flag" }, true
	}
	h := testHandler(t, o)
	for _, p := range slices.Concat(testPages,
		[]testPage{{"the index", "index.json", ""}, {"found", "index.html?q=city", ""}}) {
		status, body := get(t, h, p.Path)
		if p.Name == "hidden-flag" {
			if status != http.StatusNotFound {
				t.Errorf("the hidden flag: status %d", status)
			}
			continue
		}
		for _, secret := range []string{"hidden-flag", "hidden-rule", "hidden-city", "hidden-description",
			"hidden-owner", "hidden-segment", "hidden-value", "segment-like", "secret"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %s", p.Name, secret)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/why.json",
		strings.NewReader(`{"flag": "ramp", "environment": "production", "context": {"targetingKey": "u-1", "city": "x"}}`)))
	if body := w.Body.String(); !strings.Contains(body, "a flag that you may not see") ||
		strings.Contains(body, "hidden") {
		t.Errorf("the answer is %s", body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/why.json",
		strings.NewReader(`{"flag": "hidden-flag", "environment": "production"}`)))
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a question about the hidden flag: status %d", w.Code)
	}
}

// TestWhy holds how answers read.
func TestWhy(t *testing.T) {
	v := newView(testModel(t), nil, testTime)
	var b strings.Builder
	for _, q := range []question{
		{Flag: "cart", Environment: "production", Context: json.RawMessage(`{"targetingKey": "hidden-id-1"}`)},
		{Flag: "cart", Environment: "production", Context: json.RawMessage(`{"targetingKey": "u-1", "city": "拉萨", "plan": "plus", "version": "x"}`)},
		{Flag: "cart", Environment: "staging"},
		{Flag: "ramp", Environment: "production", Context: json.RawMessage(`{"targetingKey": "u-1", "city": "hidden-city"}`)},
		{Flag: "new-index", Environment: "production", Context: json.RawMessage(`{}`)},
		{Flag: "hostile", Environment: "production", Context: json.RawMessage(`{"ip": "10.1.2.3"}`), At: testTime.Unix()},
		{Flag: "off", Environment: "production"},
	} {
		answer, err := v.answer(q)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", answer.Answer)
		writeMoves(&b, answer.Steps, "  ")
	}
	golden(t, "why.golden", b.String())
}

func writeMoves(b *strings.Builder, moves []move, indent string) {
	for _, m := range moves {
		fmt.Fprintf(b, "%s%s: %s\n", indent, m.Mark, m.Text)
		writeMoves(b, m.Steps, indent+"  ")
	}
}

// TestAnswerWithoutScript holds that the form works without the script.
func TestAnswerWithoutScript(t *testing.T) {
	h := testHandler(t, testOptions(t))
	_, body := post(h, "flag/cart.html",
		url.Values{"environment": {"staging"}, "context": {`{"targetingKey": "u-9"}`}}, nil)
	for _, want := range []string{"cart serves on: the flag has no rules, so everyone gets its default.",
		`{&#34;targetingKey&#34;: &#34;u-9&#34;}`, "<option selected>staging"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, body = post(h, "flag/cart.html", url.Values{"environment": {"nowhere"}, "context": {"{}"}},
		nil); !strings.Contains(body, "isn&#39;t in the environment") {
		t.Error("the page doesn't say that there is no such environment")
	}
}

// TestWrite holds who may write into the files.
func TestWrite(t *testing.T) {
	h := testHandler(t, testOptions(t))
	form := url.Values{"edit": {"disable colors"}, "write": {"yes"}}
	for _, c := range []struct {
		from, host, origin, site string
		status                   int
		wrote                    bool
	}{
		{"127.0.0.1:4711", "localhost:8787", "http://localhost:8787", "", 200, true},
		{"127.0.0.1:4711", "127.0.0.1:8787", "http://127.0.0.1:8787", "same-origin", 200, true},
		{"[::1]:4711", "[::1]:8787", "http://[::1]:8787", "", 200, true},
		{"192.0.2.7:4711", "127.0.0.1:8787", "http://127.0.0.1:8787", "", 200, false},                  // another machine
		{"@", "localhost", "http://localhost", "", 200, false},                                         // a Unix socket, as behind a proxy
		{"127.0.0.1:4711", "localhost:8787", "", "", 200, false},                                       // not a browser's form
		{"127.0.0.1:4711", "localhost:8787", "", "cross-site", 403, false},                             // another page
		{"127.0.0.1:4711", "localhost:8787", "http://evil.example", "cross-site", 403, false},          // another page
		{"127.0.0.1:4711", "localhost:8787", "http://localhost:9999", "same-site", 403, false},         // another port
		{"127.0.0.1:4711", "localhost:8787", "null", "", 403, false},                                   // a sandboxed page
		{"127.0.0.1:4711", "evil.example:8787", "http://evil.example:8787", "same-origin", 200, false}, // its DNS leads here
	} {
		header := map[string]string{"Host": c.host, "From": c.from}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if c.site != "" {
			header["Sec-Fetch-Site"] = c.site
		}
		status, body := post(h, "propose.html", form, header)
		if wrote := strings.Contains(body, "Written: "); status != c.status || wrote != c.wrote {
			t.Errorf("from %s, host %q, origin %q, site %q: status %d, wrote %t", c.from, c.host, c.origin, c.site,
				status, wrote)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/propose.html?"+form.Encode(), nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); strings.Contains(w.Body.String(), "Written: ") {
		t.Error("a GET writes")
	}
}

// TestHostilePatch holds that a patch and the reason why an edit is refused show no character that
// hides text or turns it around.
func TestHostilePatch(t *testing.T) {
	o := testOptions(t)
	o.Propose = func(_ context.Context, edits []string, _ bool) (Proposal, error) {
		if edits[0] == "disable cart" {
			return Proposal{}, errors.New("line one\nof flags/\u202eevil.yaml\x1b[2J")
		}
		return Proposal{Patch: "--- a\n+++ b\n-x: \u202eold\n+x: new\x07\n"}, nil
	}
	h := testHandler(t, o)
	for edit, want := range map[string]string{
		"disable cart":   "line one\nof flags/\\u202eevil.yaml\\u001b[2J",
		"disable colors": "--- a\n&#43;&#43;&#43; b\n-x: \\u202eold\n&#43;x: new\\u0007\n",
	} {
		_, body := post(h, "propose.html", url.Values{"edit": {edit}}, nil)
		if strings.ContainsAny(body, "\u202e\x1b\x07") || !strings.Contains(body, want) {
			t.Errorf("%s: the page lacks %q:\n%s", edit, want, body)
		}
		if spelled := strings.Contains(body, "They are spelled out here"); spelled != (edit == "disable colors") {
			t.Errorf("%s: the page says that characters are spelled out: %t", edit, spelled)
		}
	}
}

// TestNoEditIsDropped holds that edits beyond the limits are refused, and not left out.
func TestNoEditIsDropped(t *testing.T) {
	h := testHandler(t, testOptions(t))
	for text, want := range map[string]string{
		"disable cart\n\ndisable " + strings.Repeat("x", maxEdit): "line 3 is longer than 1000 bytes",
		strings.Repeat("disable cart\n", maxEdits+1):              "there are 21 edits; propose 20 at a time at most",
	} {
		if _, body := post(h, "propose.html", url.Values{"edit": {text}}, nil); !strings.Contains(body, want) ||
			strings.Contains(body, "As a command") {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
}

// TestChangedEnvironments holds that environments share a section only if the same users change in
// them, and that flags beyond the limit are counted.
func TestChangedEnvironments(t *testing.T) {
	group := func(to string) []diff.Group {
		return []diff.Group{{Everybody: true, Who: "everybody", Moves: []diff.Move{{From: "off", To: to}}}}
	}
	many := make([]diff.Flag, maxChanged+3)
	for i := range many {
		many[i] = diff.Flag{Key: fmt.Sprintf("flag-%d", i), Change: diff.Added}
	}
	o := testOptions(t)
	o.Compare = func(context.Context, string, string) (diff.Report, error) {
		return diff.Report{Environments: []diff.Environment{
			{Name: "production", Flags: []diff.Flag{{Key: "cart", Change: diff.Changed, Groups: group("on")}}},
			{Name: "staging", Flags: []diff.Flag{{Key: "cart", Change: diff.Changed, Groups: group("new")}}},
			{Name: "test", Flags: many},
		}}, nil
	}
	_, body := get(t, testHandler(t, o), "changes.html")
	for _, want := range []string{"<h2>In production</h2>", "<h2>In staging</h2>", "3 more flags differ."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestHistoryOfFlag holds that the history of a flag has the revisions that changed it, and that of
// a flag that somebody may not see isn't there.
func TestHistoryOfFlag(t *testing.T) {
	o := testOptions(t)
	var asked release.FlagName
	all := o.History
	o.History = func(ctx context.Context, flag release.FlagName) (release.History, error) {
		asked = flag
		return all(ctx, flag)
	}
	_, body := get(t, testHandler(t, o), "history.html?flag=cart")
	if !strings.Contains(body, "Revision 2") || strings.Contains(body, "Revision 1") ||
		asked != (release.FlagName{Namespace: "shop", Key: "cart"}) {
		t.Errorf("asked for %v, the page is\n%s", asked, body)
	}
	o.Admit = func(http.ResponseWriter, *http.Request) (Sees, bool) {
		return func(key, _ string, _ bool) bool { return key != "hidden-flag" }, true
	}
	if _, body := get(t, testHandler(t, o), "history.html?flag=hidden-flag"); strings.Contains(body, "hidden") ||
		asked.Key != "" {
		t.Errorf("asked for %v, the page is\n%s", asked, body)
	}
}

// TestConcurrentComparisons holds that revisions are compared for one request at a time.
func TestConcurrentComparisons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		var mu sync.Mutex
		o := Options{Old: "git:HEAD", Compare: func(context.Context, string, string) (diff.Report, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return diff.Report{}, nil
		}}
		h := testHandler(t, o)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { get(t, h, "changes.html") })
		}
		all.Wait()
		if most != 1 {
			t.Errorf("%d comparisons at once", most)
		}
	})
}

// TestSlowComparison holds that a comparison ends after a while, and that the page says so.
func TestSlowComparison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Numbers: true, Compare: func(ctx context.Context, _, _ string) (diff.Report, error) {
			<-ctx.Done()
			return diff.Report{}, fmt.Errorf("comparing: %w", ctx.Err())
		}}
		if _, body := get(t, testHandler(t, o), "changes.html?old=1&new=2"); !strings.Contains(body,
			"Comparing these revisions takes longer than 45s, so it was given up.") {
			t.Errorf("the page is\n%s", body)
		}
	})
}

// TestPicks holds which contexts are offered: those of tests only to who edits the files.
func TestPicks(t *testing.T) {
	o := testOptions(t)
	for _, live := range []bool{true, false} {
		o.Live = live
		_, body := get(t, testHandler(t, o), "flag/cart.html")
		if got := strings.Contains(body, `value="{&#34;user&#34;: &#34;hidden-id-1&#34;}"`); got != live {
			t.Errorf("live %t: the context of a test is offered: %t", live, got)
		}
		const blank = `{&#34;targetingKey&#34;: &#34;u-1&#34;, &#34;beta&#34;: true, &#34;city&#34;: &#34;&#34;, `
		if !strings.Contains(body, blank) {
			t.Errorf("live %t: no context with all attributes is offered:\n%s", live, body)
		}
	}
}

// TestFailed holds what a page says if the files can't be read at all.
func TestFailed(t *testing.T) {
	h := testHandler(t, testOptions(t))
	h.Update(nil, errors.New("permission denied"))
	if _, body := get(t, h, ""); !strings.Contains(body,
		"The files can’t be shown. This is the last good version.") || !strings.Contains(body, "permission denied") {
		t.Errorf("the page is\n%s", body)
	}
}

// TestConcurrentLive holds that a page hears of every change, and that every page shows problems at the
// lines that they are on.
func TestConcurrentLive(t *testing.T) {
	h := testHandler(t, testOptions(t))
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close()
	response, err := http.Get(server.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := bufio.NewScanner(response.Body)
	next := func() string {
		events.Scan()
		line := events.Text()
		events.Scan()
		return line
	}
	if got := next(); got != "data: 1" {
		t.Fatalf("the first event is %q", got)
	}
	h.Update(nil, ci.Problems{{File: "flags/shop/cart.yaml", Line: 4, Column: 1, Message: `unknown key "defualt"`,
		Quote: "defualt: <on>", Caret: 1}})
	if got := next(); got != "data: 2" {
		t.Fatalf("the second event is %q", got)
	}
	_, body := get(t, h, "flag/cart.html")
	for _, want := range []string{"flags/shop/cart.yaml:4:1", "<mark>defualt</mark>: &lt;on&gt;",
		"unknown key &#34;defualt&#34;", "This is the last good version"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	h.Update(testModel(t), nil)
	if next(); strings.Contains(events.Text(), "last good version") {
		t.Error("the problem is still shown")
	}
	h.Close()
	if events.Scan() {
		t.Errorf("after the end there is %q", events.Text())
	}
}

// TestFind holds what searches find. The browser's test holds that the script finds the same.
func TestFind(t *testing.T) {
	v := newView(testModel(t), nil, testTime)
	for query, want := range searches {
		var got []string
		for _, e := range find(v.index, query) {
			got = append(got, e.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, not %q", query, got, want)
		}
	}
}

var searches = map[string][]string{
	"owner:team-search": {"broken-index", "new-index", "ramp"},
	"OWNER:结账":          {"cart"},
	"ramping":           {"broken-index", "new-index", "ramp"},
	"stale":             {"cart"},
	"disabled":          {"off"},
	"rolled-back":       {"broken-index"},
	"attr:city":         {"cart", "hidden-flag", "hostile"},
	"attr:city 购物车":     {"cart"},
	"segment:testers":   {"cart"},
	"拉萨":                {"cart"},
	"hidden-id":         nil,
	"nothing-like-it":   nil,
}

// TestSite holds that a site has no dead ends, goes away with its flags, and touches no
// folder of others.
func TestSite(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t)
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	checkLinks(t, dir)
	gone := filepath.Join(dir, "flag", "gone.html")
	mark, err := os.ReadFile(filepath.Join(dir, siteMark))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{gone: "",
		filepath.Join(dir, siteMark): string(mark) + "flag/gone.html\n../kept\n", filepath.Join(dir, "own.txt"): ""} {
		if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("the page of a flag that is gone is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "own.txt")); err != nil {
		t.Error(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "index.html"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), other, testModel(t), o, testTime); err == nil ||
		!strings.Contains(err.Error(), "isn't empty") {
		t.Errorf("a folder of others: %v", err)
	}
}

// siteNames returns the files of a site.
func siteNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, siteMark))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

var (
	links = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	ids   = regexp.MustCompile(`\sid="([^"]*)"`)
)

// checkLinks checks that every link within a site leads somewhere.
func checkLinks(t *testing.T, dir string) {
	t.Helper()
	anchors := make(map[string][]string)
	bodies := make(map[string]string)
	for _, name := range siteNames(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = string(data)
		for _, m := range ids.FindAllStringSubmatch(string(data), -1) {
			anchors[name] = append(anchors[name], m[1])
		}
	}
	checked := 0
	for name, body := range bodies {
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil || u.Host != "" {
				continue
			}
			target := name
			if u.Path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), u.Path))
			}
			checked++
			if _, ok := bodies[target]; !ok {
				t.Errorf("%s leads to %s, which isn't there", name, m[1])
			} else if u.Fragment != "" && !slices.Contains(anchors[target], u.Fragment) {
				t.Errorf("%s leads to %s, where there is no such place", name, m[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}

// FuzzWhy holds that no question makes the page fail.
func FuzzWhy(f *testing.F) {
	v := newView(testModel(f), nil, testTime)
	f.Add(`{"flag": "cart", "environment": "production", "context": {"targetingKey": "u-1"}}`)
	f.Add(`{"flag": "ramp", "environment": "staging", "context": {"city": ["x"]}, "at": -1}`)
	f.Add(`{"flag": "hostile", "environment": "production", "context": {"ip": "::", "tags": ["\u202e"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var q question
		if json.Unmarshal([]byte(text), &q) != nil {
			return
		}
		if answer, err := v.answer(q); err == nil && answer.Answer == "" {
			t.Error("there is an empty answer")
		}
	})
}
