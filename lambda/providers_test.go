//go:build unix

package lambda

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/internal/npmtest"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/sdk"
)

// TestDoors asks the handler, and the built Lambda function in a process of its
// own, behind a Function URL: directly and through the stock OFREP providers of
// OpenFeature. All must answer as the SDK does.
func TestDoors(t *testing.T) {
	npmtest.Install(t, providers)
	binary, err := lambdatest.Build(t.TempDir(), "github.com/serin-flags/serin/lambda/bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	doors := map[string]func(t *testing.T, e *estate) http.Handler{
		"handler": func(t *testing.T, e *estate) http.Handler {
			return New(e.follow(t), Config{})
		},
		"lambda": func(t *testing.T, e *estate) http.Handler {
			root := filepath.Join(t.TempDir(), "root.json")
			if err := os.WriteFile(root, e.keys.Root, 0o666); err != nil {
				t.Fatal(err)
			}
			return lambdatest.Start(t, lambdatest.Config{
				Binary: binary,
				Env:    []string{"SERIN_FROM=file://" + e.dir, "SERIN_ROOT=" + root},
			})
		},
	}
	for name, open := range doors {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, testRuleset())
			door := &recorded{handler: open(t, e)}
			server := httptest.NewServer(door)
			t.Cleanup(server.Close)
			t.Run("same bytes", func(t *testing.T) { testSameBytes(t, server.URL, e.open(t)) })
			t.Run("server provider", func(t *testing.T) { testServerProvider(t, server.URL, e.open(t)) })
			t.Run("web provider", func(t *testing.T) { testWebProvider(t, server.URL, e.open(t), door) })
			t.Run("web provider follows", func(t *testing.T) { testWebProviderFollows(t, server.URL, e) })
		})
	}
}

// follow returns a client that sees what is published at once.
func (e *estate) follow(t *testing.T) *sdk.Client {
	t.Helper()
	source, err := sdk.File(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: e.keys.Root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// recorded notes the statuses that a handler answers with.
type recorded struct {
	handler http.Handler

	mu       sync.Mutex
	statuses []int
}

func (d *recorded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.handler.ServeHTTP(&statusWriter{w, d}, r)
}

// take returns the statuses since the last call.
func (d *recorded) take() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	statuses := d.statuses
	d.statuses = nil
	return statuses
}

type statusWriter struct {
	http.ResponseWriter
	door *recorded
}

func (w *statusWriter) WriteHeader(status int) {
	w.door.mu.Lock()
	w.door.statuses = append(w.door.statuses, status)
	w.door.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// contexts are the bodies' contexts, as JSON.
var contexts = []string{
	`{}`,
	`{"targetingKey":"u-1"}`,
	`{"targetingKey":"u-2","device":"d-9","uid":7}`,
	`{"targetingKey":"ü","city":"shenzhen","uid":-3,"nested":{"a":[1]},"list":["x"],"nothing":null}`,
	`{"city":"lhasa","device":"d-1","uid":900719925474097}`,
	`{"targetingKey":"u-5","city":"lhasa","uid":"7"}`,
}

func decode(t *testing.T, text string) evaluator.Context {
	t.Helper()
	ctx, err := evaluator.DecodeContext([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// testSameBytes checks that a door's answers are the SDK's, headers and failures
// included.
func testSameBytes(t *testing.T, url string, client *sdk.Client) {
	reference := New(client, Config{})
	for _, text := range contexts {
		body := `{"context":` + text + `}`
		for _, path := range []string{flagsPath, flagsPath + "/limit", flagsPath + "/new-checkout",
			flagsPath + "/absent"} {
			compare(t, url, reference, path, body)
		}
	}
	compare(t, url, reference, flagsPath, `{"context":[]}`)
	compare(t, url, reference, flagsPath, "\xff\x00")
	compare(t, url, reference, flagsPath, strings.Repeat("x", defaultMaxBody+1))
	compare(t, url, reference, "/elsewhere", ``)
}

func compare(t *testing.T, url string, reference http.Handler, path, body string) {
	t.Helper()
	resp, err := http.Post(url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := ask(t, reference, post(path, body))
	if resp.StatusCode != want.Code || !bytes.Equal(got, want.Body.Bytes()) {
		t.Errorf("%s of %.80q:\ngot  %d %s\nwant %d %s", path, body, resp.StatusCode, got, want.Code, want.Body)
	}
	for name, values := range want.Header() {
		if diff := cmp.Diff(values, resp.Header[name]); diff != "" {
			t.Errorf("%s of %.80q: header %s (-want +got):\n%s", path, body, name, diff)
		}
	}
}

// providers is where the scripts are that drive the stock providers. What they
// read and print stands at their beginning.
var providers = filepath.Join("..", "testdata", "js", "ofrep")

// evaluation asks a script for one evaluation.
type evaluation struct {
	Flag         string          `json:"flag"`
	Type         string          `json:"type"`
	DefaultValue any             `json:"defaultValue"`
	Context      json.RawMessage `json:"context,omitempty"`
}

// details are the evaluation details of OpenFeature's JavaScript SDKs.
type details struct {
	FlagKey      string         `json:"flagKey"`
	Value        any            `json:"value"`
	Variant      string         `json:"variant"`
	Reason       string         `json:"reason"`
	FlagMetadata map[string]any `json:"flagMetadata"`
	ErrorCode    string         `json:"errorCode"`
	ErrorMessage string         `json:"errorMessage"`
}

// evaluations returns an evaluation of each flag by its type, with a default
// that no flag serves.
func evaluations(t *testing.T, client *sdk.Client) []evaluation {
	t.Helper()
	var all []evaluation
	for _, key := range client.Snapshot().Program().Keys() {
		e := evaluation{Flag: key}
		switch client.Evaluate(key, evaluator.Context{}).Value().Kind() {
		case evaluator.KindBool:
			e.Type, e.DefaultValue = "boolean", false
		case evaluator.KindString:
			e.Type, e.DefaultValue = "string", "no"
		case evaluator.KindInt, evaluator.KindFloat:
			e.Type, e.DefaultValue = "number", -1
		case evaluator.KindObject:
			e.Type, e.DefaultValue = "object", map[string]any{}
		}
		all = append(all, e)
	}
	if len(all) < 5 {
		t.Fatalf("the estate has only %d flags", len(all))
	}
	return all
}

// answer returns the details of the SDK's own answer. The web provider's don't
// have the metadata that all answers share.
func answer(t *testing.T, client *sdk.Client, key string, ctx evaluator.Context, shared bool) details {
	t.Helper()
	r := client.Evaluate(key, ctx)
	d := details{FlagKey: key, Variant: r.Variant(), Reason: r.Reason().String(), FlagMetadata: map[string]any{}}
	if err := json.Unmarshal(r.Value().JSON(), &d.Value); err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Metadata() {
		var value any
		if err := json.Unmarshal(m.Value.JSON(), &value); err != nil {
			t.Fatal(err)
		}
		d.FlagMetadata[m.Name] = value
	}
	delete(d.FlagMetadata, "rule") // of "rate": the name has a meaning
	if rule := r.Rule(); rule != "" {
		d.FlagMetadata["rule"] = rule
	}
	if unit := r.MissingUnit(); unit != "" {
		d.FlagMetadata["missingUnit"] = unit
	}
	if shared {
		d.FlagMetadata["environment"] = client.Snapshot().Environment()
		d.FlagMetadata["revision"] = float64(client.Snapshot().Revision())
		d.FlagMetadata["flagSetId"] = client.Snapshot().Environment()
		d.FlagMetadata["version"] = strconv.FormatInt(client.Snapshot().Revision(), 10)
	}
	return d
}

func testServerProvider(t *testing.T, url string, client *sdk.Client) {
	var asked []evaluation
	var want []details
	for _, text := range contexts {
		for _, e := range evaluations(t, client) {
			e.Context = json.RawMessage(text)
			asked = append(asked, e)
			want = append(want, answer(t, client, e.Flag, decode(t, text), true))
		}
	}
	failure := func(e evaluation, code, message string) {
		asked = append(asked, e)
		want = append(want, details{
			FlagKey: e.Flag, Value: e.DefaultValue, Reason: "ERROR", FlagMetadata: map[string]any{}, ErrorCode: code,
			ErrorMessage: message,
		})
	}
	failure(evaluation{"absent", "boolean", true, nil}, "FLAG_NOT_FOUND", "there is no flag of this key")
	failure(evaluation{"banner", "boolean", true, nil}, "TYPE_MISMATCH", "Expected flag type boolean but got string")
	failure(evaluation{"rate", "string", "no", nil}, "TYPE_MISMATCH", "Expected flag type string but got number")
	failure(evaluation{"rate", "number", -1.0, json.RawMessage(`{"targetingKey":5}`)}, "INVALID_CONTEXT",
		"decoding context: targetingKey is not a string")

	var got []details
	out := npmtest.Run(t, providers, "server.mjs", map[string]any{"baseUrl": url, "evaluations": asked})
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

// A step is what web.mjs does in one context.
type step struct {
	Context     json.RawMessage `json:"context"`
	Evaluations []evaluation    `json:"evaluations"`
}

// A line is what web.mjs prints: a status, or the details of a step.
type line struct {
	Status       int       `json:"status"`
	Details      []details `json:"details"`
	FlagsChanged []string  `json:"flagsChanged"`
}

func testWebProvider(t *testing.T, url string, client *sdk.Client, door *recorded) {
	all := evaluations(t, client)
	var steps []step
	var want [][]details
	for _, text := range []string{
		`{"targetingKey":"u-1"}`,
		`{"targetingKey":"u-1"}`,                           // unchanged: the provider's entity tag holds
		`{"targetingKey":"u-1","city":"shenzhen","uid":7}`, // the provider sends that tag again, but it doesn't hold
		`{"targetingKey":"u-2","device":"d-9"}`,
		`{}`,
	} {
		steps = append(steps, step{json.RawMessage(text), all})
		var answers []details
		for _, e := range all {
			answers = append(answers, answer(t, client, e.Flag, decode(t, text), false))
		}
		want = append(want, answers)
	}
	last := len(steps) - 1
	steps[last].Evaluations = append(slices.Clone(all), evaluation{"absent", "boolean", true, nil},
		evaluation{"banner", "boolean", true, nil})
	want[last] = append(want[last],
		details{FlagKey: "absent", Value: true, Reason: "ERROR", ErrorCode: "FLAG_NOT_FOUND",
			ErrorMessage: "Flag was not found",
			FlagMetadata: map[string]any{"environment": environment, "revision": float64(client.Snapshot().Revision()),
				"flagSetId": environment, "version": strconv.FormatInt(client.Snapshot().Revision(), 10)}},
		details{FlagKey: "banner", Value: true, Reason: "ERROR", ErrorCode: "TYPE_MISMATCH",
			ErrorMessage: "Flag is not of expected type",
			FlagMetadata: map[string]any{}})

	door.take()
	out := json.NewDecoder(npmtest.Run(t, providers, "web.mjs", map[string]any{"baseUrl": url, "steps": steps}))
	var got [][]details
	var statuses []int
	for {
		var l line
		if err := out.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if l.Status != 0 {
			statuses = append(statuses, l.Status)
		} else {
			got = append(got, l.Details)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	wantStatuses := []int{200, 304, 200, 200, 200}
	if diff := cmp.Diff(wantStatuses, statuses); diff != "" {
		t.Errorf("statuses that the provider saw (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantStatuses, door.take()); diff != "" {
		t.Errorf("statuses that the door sent (-want +got):\n%s", diff)
	}
}

// testWebProviderFollows publishes a change to one flag while a web provider is
// polling: it is answered 304 until then, and tells its listeners of that flag
// and no other.
func testWebProviderFollows(t *testing.T, url string, e *estate) {
	lines := bufio.NewScanner(npmtest.Run(t, providers, "web.mjs", map[string]any{
		"baseUrl": url,
		"steps": []step{{json.RawMessage(`{"targetingKey":"u-1"}`), []evaluation{
			{"limit", "number", -1, nil}, {"rate", "number", -1, nil},
		}}},
		"follow": true,
	}))
	next := func() (l line) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the script ended too early: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := next(); l.Status != http.StatusOK {
		t.Errorf("first line is %+v, want status 200", l)
	}
	if l := next(); len(l.Details) != 2 || l.Details[1].Value != 0.25 {
		t.Errorf("second line is %+v, want a rate of 0.25", l)
	}
	for range 3 {
		if l := next(); l.Status != http.StatusNotModified {
			t.Errorf("a poll without a change gives %+v, want status 304", l)
		}
	}

	changed := testRuleset()
	rate := &changed.Flags[slices.IndexFunc(changed.Flags, func(f evaluator.Flag) bool { return f.Key == "rate" })]
	rate.Variants[0].Value = evaluator.FloatValue(0.5)
	e.publish(t, changed)
	for l := next(); ; l = next() {
		switch {
		case l.Status == http.StatusNotModified, l.Status == http.StatusOK:
			continue
		case l.Status != 0:
			t.Fatalf("a poll gives %+v", l)
		}
		if len(l.Details) != 2 || l.Details[1].Value != 0.5 {
			t.Errorf("after the change the details are %+v", l.Details)
		}
		if diff := cmp.Diff([]string{"rate"}, l.FlagsChanged); diff != "" {
			t.Errorf("flags changed (-want +got):\n%s", diff)
		}
		return
	}
}

// TestServerProviderWithoutRevision checks that a provider serves defaults in
// code, and doesn't say that flags were deleted, while no flags are loaded.
func TestServerProviderWithoutRevision(t *testing.T) {
	npmtest.Install(t, providers)
	server := httptest.NewServer(New(nil, Config{}))
	defer server.Close()
	var got []details
	asked := []evaluation{{"rate", "number", 7.0, nil}}
	if err := json.NewDecoder(npmtest.Run(t, providers, "server.mjs",
		map[string]any{"baseUrl": server.URL, "evaluations": asked})).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Value != 7.0 || got[0].ErrorCode != "GENERAL" {
		t.Errorf("details are %+v", got)
	}
}

// TestServerProviderWithKeys holds that a provider gets flags with a key, as it is documented
// to send one, and the caller's default without one, for a flag that it may not see, and
// once it asks too often.
func TestServerProviderWithKeys(t *testing.T) {
	npmtest.Install(t, providers)
	key, hash := access.NewKey()
	gate := newGate(t, fmt.Sprintf(
		"clients: [{name: a, kind: server, keys: %s, flags: [rate, limit], rate: {limit: 1/h, burst: 3}}]", hash))
	server := httptest.NewServer(New(newEstate(t, testRuleset()).open(t), Config{Access: gate}))
	defer server.Close()
	asked := []evaluation{{"rate", "number", 7.0, nil}, {"theme", "object", 7.0, nil}, {"rate", "number", 7.0, nil},
		{"rate", "number", 7.0, nil}}
	for _, test := range []struct {
		headers [][2]string
		want    string // values and error codes
	}{
		{nil, "7 GENERAL, 7 GENERAL, 7 GENERAL, 7 GENERAL"},
		{[][2]string{{"Authorization", "Bearer " + key}}, "0.25 , 7 FLAG_NOT_FOUND, 0.25 , 7 GENERAL"},
	} {
		var got []details
		if err := json.NewDecoder(npmtest.Run(t, providers, "server.mjs",
			map[string]any{"baseUrl": server.URL, "evaluations": asked, "headers": test.headers})).Decode(
			&got); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, d := range got {
			texts = append(texts, fmt.Sprint(d.Value, " ", d.ErrorCode))
		}
		if text := strings.Join(texts, ", "); text != test.want {
			t.Errorf("with %d headers: %s, want %s", len(test.headers), text, test.want)
		}
	}
}
