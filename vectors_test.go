//go:build unix

package serin_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/internal/vectors"
	"github.com/serin-flags/serin/sdk"
)

// A vectorRoad is all scenarios of testdata/vectors, each a namespace, published
// to a folder, and what answers from there.
type vectorRoad struct {
	road
	program   *evaluator.Program
	cases     []vectors.Case
	positions []vectors.Case // of bucketing.jsonl
}

// TestVectors asks every door for the answers of testdata/vectors: the SDK,
// "serin eval", "serin serve" and the Lambda function, each from what is
// published. (The evaluator's own tests ask its API.)
func TestVectors(t *testing.T) {
	t.Parallel()
	r := newVectorRoad(t)
	t.Run("sdk", r.askSDK)
	t.Run("eval", r.askEval)
	t.Run("eval at a time", r.askEvalAt)
	t.Run("eval of one flag", r.askEvalOne)
	t.Run("serve", func(t *testing.T) { r.askHTTP(t, r.serve) })
	t.Run("lambda", func(t *testing.T) { r.askHTTP(t, r.lambda) })
}

func newVectorRoad(t *testing.T) *vectorRoad {
	scenarios, err := vectors.Scenarios(os.DirFS("testdata/vectors"))
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	r := &vectorRoad{road: road{
		bin:  command(t),
		home: tmp,
		url:  "file://" + filepath.Join(tmp, "published", environment),
		root: filepath.Join(tmp, "keys", "root.json"),
	}}
	var payloads []bundle.Payload
	for _, s := range scenarios {
		payloads = append(payloads, bundle.Payload{Environment: environment, Namespace: s.Name, Ruleset: s.Ruleset})
		r.cases = append(r.cases, s.Cases...)
	}
	rows, err := vectors.Positions(os.DirFS("testdata/vectors"))
	if err != nil {
		t.Fatal(err)
	}
	bucketing := vectors.Bucketing(rows)
	payloads = append(payloads,
		bundle.Payload{Environment: environment, Namespace: bucketing.Name, Ruleset: bucketing.Ruleset})
	r.positions = bucketing.Cases
	publishPayloads(t, filepath.Join(tmp, "published"), filepath.Dir(r.root), payloads)

	r.client = r.openClient(t)
	r.program = r.client.Snapshot().Program()
	r.serve = r.startServe(t)
	server := httptest.NewServer(lambdatest.Start(t, lambdatest.Config{
		Binary: bootstrap(t),
		Env:    []string{"SERIN_FROM=" + r.url, "SERIN_ROOT=" + r.root},
	}))
	t.Cleanup(server.Close)
	r.lambda = server.URL
	awaitFlags(t, r.serve)
	awaitFlags(t, r.lambda)
	return r
}

func publishPayloads(t *testing.T, dir, keys string, payloads []bundle.Payload) {
	t.Helper()
	if _, err := release.InitKeys(keys, environment); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.Publish(t.Context(), release.Options{
		Store: filestore.New(filepath.Join(dir, environment)), Keys: loaded, Environment: environment,
		Payloads: payloads,
	}); err != nil {
		t.Fatal(err)
	}
}

func (r *vectorRoad) openClient(t *testing.T) *sdk.Client {
	t.Helper()
	root, err := os.ReadFile(r.root)
	if err != nil {
		t.Fatal(err)
	}
	source, err := sdk.FromURL(r.url)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: root, InitTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// anytime returns the cases that doors can be asked for that have a clock of
// their own and draw by themselves.
func (r *vectorRoad) anytime() []vectors.Case {
	return slices.DeleteFunc(slices.Clone(r.cases), func(c vectors.Case) bool {
		return c.Now != nil || c.Age != 0 ||
			c.Chance != nil
	})
}

func checkVector(t *testing.T, c vectors.Case, got vectors.Answer) {
	t.Helper()
	if !got.Same(c.Want) {
		t.Errorf("%s: flag %s, context %s\ngot  %s\nwant %s", c.Name, c.Flag, c.Context, got, c.Want)
	}
}

// askSDK asks for one flag, now and then and in a soak always for all, and for those of
// boolean flags by a handle. The SDK draws by itself, but takes a time that isn't 0.
func (r *vectorRoad) askSDK(t *testing.T) {
	snapshot := r.client.Snapshot()
	for i, c := range slices.Concat(r.cases, r.positions) {
		if c.Chance != nil || c.Now != nil && *c.Now == 0 {
			continue
		}
		ctx, err := evaluator.DecodeContext(c.Context)
		if err != nil {
			t.Fatal(err)
		}
		if c.Now != nil {
			ctx.Now = *c.Now
		}
		ctx.Age = c.Age
		checkVector(t, c, vectors.AnswerOf(snapshot.Evaluate(c.Flag, ctx)))
		if i%soak.Times(7, 1) == 0 {
			among := vectors.AnswerOf(evaluator.Result{})
			for key, result := range snapshot.All(ctx) {
				if key == c.Flag {
					among = vectors.AnswerOf(result)
				}
			}
			checkVector(t, c, among)
		}
		if want := string(c.Want.Value); want == "true" || want == "false" {
			if got := sdk.Bool(c.Flag, want != "true").Get(r.client, ctx); got != (want == "true") {
				t.Errorf("%s: Get returns %v", c.Name, got)
			}
			if got := sdk.Bool(c.Flag, want != "true").In(r.client.For(ctx)); got != (want == "true") {
				t.Errorf("%s: In returns %v", c.Name, got)
			}
		}
	}
}

// askEval asks "serin eval" for all flags in many contexts at once, and in a soak in all,
// and picks the lines that cases are about.
func (r *vectorRoad) askEval(t *testing.T) {
	var cases []vectors.Case
	for i, c := range r.anytime() {
		if i%soak.Times(7, 1) == 0 {
			cases = append(cases, c)
		}
	}
	r.eval(t, r.program.Keys(), cases, "--all")
}

// askEvalAt does so at times, and ages, that cases name.
func (r *vectorRoad) askEvalAt(t *testing.T) {
	byTime := make(map[string][]vectors.Case) // by arguments
	for _, c := range r.cases {
		if c.Chance != nil || c.Now == nil && c.Age == 0 {
			continue
		}
		at := ""
		if c.Now != nil {
			at = strconv.FormatInt(*c.Now, 10)
		}
		args := fmt.Sprintf("--at=%s --age=%ds", at, c.Age)
		byTime[args] = append(byTime[args], c)
	}
	eachGroup(byTime, func(args string, cases []vectors.Case) {
		r.eval(t, r.program.Keys(), cases, append(strings.Fields(args), "--all")...)
	})
}

// askEvalOne asks flags of the positions alone: nothing else is asked for so many
// contexts.
func (r *vectorRoad) askEvalOne(t *testing.T) {
	byFlag := make(map[string][]vectors.Case)
	for _, c := range r.positions {
		byFlag[c.Flag] = append(byFlag[c.Flag], c)
	}
	eachGroup(byFlag, func(key string, cases []vectors.Case) { r.eval(t, []string{key}, cases, key) })
}

// eachGroup calls ask, which starts a process, for some of the groups, and in a
// soak for all of them: four at a time.
func eachGroup(groups map[string][]vectors.Case, ask func(string, []vectors.Case)) {
	keys := make(chan string)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for key := range keys {
				ask(key, groups[key])
			}
		})
	}
	sorted := slices.Sorted(maps.Keys(groups))
	for i := 0; i < len(sorted); i += soak.Times(1+len(sorted)/20, 1) {
		keys <- sorted[i]
	}
	close(keys)
	wg.Wait()
}

// eval checks what "serin eval" prints about the flags that have the keys, in the
// contexts of cases. It may be called by any goroutine.
func (r *vectorRoad) eval(t *testing.T, keys []string, cases []vectors.Case, args ...string) {
	lines := make(map[string]int) // number of a context's line
	var stdin bytes.Buffer
	wanted := make(map[int][]vectors.Case) // by number of the answer
	for _, c := range cases {
		var line bytes.Buffer
		if err := json.Compact(&line, c.Context); err != nil {
			t.Error(err)
			return
		}
		n, ok := lines[line.String()]
		if !ok {
			n = len(lines)
			lines[line.String()] = n
			stdin.WriteString(line.String() + "\n")
		}
		if i, ok := slices.BinarySearch(keys, c.Flag); ok {
			wanted[n*len(keys)+i] = append(wanted[n*len(keys)+i], c)
		} else if c.Want.Reason != "ERROR" {
			t.Errorf("%s: there is no flag %s", c.Name, c.Flag)
		}
	}
	var stderr bytes.Buffer
	cmd := r.command(t.Context(),
		append([]string{"eval", "--json", "--contexts", "-", "--from", r.url, "--root", r.root}, args...)...)
	cmd.Stdin, cmd.Stderr = &stdin, &stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	answers := bufio.NewScanner(stdout)
	answers.Buffer(nil, 1<<20)
	n := 0
	for ; answers.Scan(); n++ {
		for _, c := range wanted[n] {
			if a, err := parseVector(answers.Bytes(), c.Flag); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			} else {
				checkVector(t, c, a)
			}
		}
	}
	err = cmp.Or(answers.Err(), cmd.Wait())
	if err != nil || n != len(lines)*len(keys) {
		t.Errorf("serin eval gave %d answers, not %d: %v\n%s", n, len(lines)*len(keys), err, stderr.Bytes())
	}
}

// parseVector reads an OFREP answer for a flag.
func parseVector(data []byte, key string) (vectors.Answer, error) {
	var a struct {
		Key, Variant, Reason string
		Value                json.RawMessage
		Metadata             map[string]json.RawMessage
	}
	if err := json.Unmarshal(data, &a); err != nil || a.Key != key {
		return vectors.Answer{}, fmt.Errorf("the answer %s is not for %s: %v", data, key, err)
	}
	out := vectors.Answer{Variant: a.Variant, Reason: a.Reason, Value: a.Value, Metadata: a.Metadata}
	// What isn't of the flag; one of all answers has neither of them.
	for _, name := range []string{"environment", "flagSetId", "revision", "version"} {
		delete(a.Metadata, name)
	}
	for name, value := range map[string]*string{"rule": &out.Rule, "missingUnit": &out.MissingUnit} {
		if raw, ok := a.Metadata[name]; ok {
			if err := json.Unmarshal(raw, value); err != nil {
				return out, err
			}
		}
		delete(a.Metadata, name)
	}
	// Otherwise it is the flag's own.
	if arm := string(a.Metadata["arm"]); arm == `"new"` || arm == `"rest"` {
		out.Arm = strings.Trim(arm, `"`)
		delete(a.Metadata, "arm")
	}
	return out, nil
}

// askHTTP asks for one flag in each case, and now and then for all of them. Of
// the positions it asks for some of every flag, and in a soak for each.
func (r *vectorRoad) askHTTP(t *testing.T, url string) {
	keys := r.program.Keys()
	cases := r.anytime()
	asked := make(map[string]int)
	for _, c := range r.positions {
		if asked[c.Flag]++; asked[c.Flag] <= soak.Times(10, len(r.positions)) {
			cases = append(cases, c)
		}
	}
	for i, c := range cases {
		status, body := postContext(t, url+"/ofrep/v1/evaluate/flags/"+c.Flag, c.Context)
		if c.Want.Reason == "ERROR" {
			var failure struct{ ErrorCode, Key string }
			if decode(t, body, &failure); status != http.StatusNotFound || failure.ErrorCode != "FLAG_NOT_FOUND" ||
				failure.Key != c.Flag {
				t.Errorf("%s: status %d: %s", c.Name, status, body)
			}
			continue
		}
		a, err := parseVector(body, c.Flag)
		if status != http.StatusOK || err != nil {
			t.Errorf("%s: status %d, error %v: %s", c.Name, status, err, body)
			continue
		}
		checkVector(t, c, a)
		if i%20 != 0 {
			continue
		}
		status, body = postContext(t, url+"/ofrep/v1/evaluate/flags", c.Context)
		var all struct{ Flags []json.RawMessage }
		decode(t, body, &all)
		at, ok := slices.BinarySearch(keys, c.Flag)
		if status != http.StatusOK || !ok || len(all.Flags) != len(keys) {
			t.Fatalf("%s: status %d, %d flags, not %d", c.Name, status, len(all.Flags), len(keys))
		}
		if a, err = parseVector(all.Flags[at], c.Flag); err != nil {
			t.Errorf("%s, among all: %v", c.Name, err)
		}
		checkVector(t, c, a)
	}
}

// postContext asks with the very bytes of a context.
func postContext(t *testing.T, url string, ctx json.RawMessage) (status int, body []byte) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"context":`+string(ctx)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}
