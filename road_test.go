//go:build unix

package serin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/internal/npmtest"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

// A road is the example estate, published to an S3 server by the built command,
// with all that answers from there: the SDK, "serin serve", the Lambda function
// and "serin eval".
type road struct {
	dir    string // of the flag files
	bin    string // the built command
	home   string // the command's home folder
	s3     s3test.Server
	url    string // of the environment
	root   string // path of the pinned root
	client *sdk.Client
	serve  string // URL of "serin serve"
	lambda string // URL of the Lambda function
}

const (
	bucket      = "flags"
	environment = "production"
	prefix      = "team"
)

// TestRoad takes flag files all the way. Its parts build upon each other.
func TestRoad(t *testing.T) {
	t.Parallel()
	r := newRoad(t)
	t.Run("every door gives the same answers", r.sameAnswers)
	t.Run("stock OFREP providers", r.providers)
	t.Run("a change reaches what runs", r.change)
}

func newRoad(t *testing.T) *road {
	tmp := t.TempDir()
	r := &road{
		dir:  filepath.Join(tmp, "flags"),
		bin:  command(t),
		home: tmp,
		s3:   s3test.Start(t),
		url:  fmt.Sprintf("s3://%s/%s/%s", bucket, prefix, environment),
		root: filepath.Join(tmp, "keys", "root.json"),
	}
	if err := os.CopyFS(tmp, serin.Estate); err != nil {
		t.Fatal(err)
	}
	r.s3.CreateBucket(t, bucket)
	r.run(t, nil, "keys", "init", filepath.Dir(r.root), "--env", environment)
	r.publish(t)

	r.client = r.openClient(t)
	r.serve = r.startServe(t)
	function := lambdatest.Start(t, lambdatest.Config{
		Binary: bootstrap(t),
		Env:    append(r.s3.Env(), "SERIN_FROM="+r.url, "SERIN_ROOT="+r.root),
	})
	server := httptest.NewServer(function)
	t.Cleanup(server.Close)
	r.lambda = server.URL
	awaitFlags(t, r.serve)
	awaitFlags(t, r.lambda)
	return r
}

// awaitFlags waits until a server has flags to answer with.
func awaitFlags(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		resp, err := http.Get(url + "/status")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has no flags: status %d", url, resp.StatusCode)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// command returns the built command with arguments, and with nothing of the
// user's configuration.
func (r *road) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.bin, args...)
	cmd.Env = append(r.s3.Env(), "HOME="+r.home, "TMPDIR="+r.home)
	return cmd
}

// run runs the command and returns what it prints.
func (r *road) run(t *testing.T, stdin io.Reader, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := r.command(t.Context(), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("serin %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.Bytes()
}

func (r *road) publish(t *testing.T) {
	t.Helper()
	r.run(t, nil, "publish", r.dir, "--env", environment, "--to", "s3://"+bucket+"/"+prefix, "--keys",
		filepath.Dir(r.root))
}

func (r *road) openClient(t *testing.T) *sdk.Client {
	t.Helper()
	root, err := os.ReadFile(r.root)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{
		Source:   s3source.New(r.s3.Client(t), bucket, prefix+"/"+environment),
		Root:     root,
		Interval: 100 * time.Millisecond,
		// However busy the machine is.
		InitTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// startServe starts "serin serve" and returns its URL.
func (r *road) startServe(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := r.command(ctx, "serve", "--from", r.url, "--root", r.root, "--listen", "127.0.0.1:0", "--interval", "100ms")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	child.Bind(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("serin serve ended with %v\n%s", err, stderr.Bytes())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("reading the URL of serin serve: %v", err)
	}
	return strings.TrimSpace(line)
}

// An answer is what a door says about a flag.
type answer struct {
	Key, Variant, Reason string
	Value                json.RawMessage
	Metadata             struct {
		Rule, MissingUnit string
	}
}

// sameAnswers asks all doors for all flags in many contexts.
func (r *road) sameAnswers(t *testing.T) {
	contexts := randomContexts(soak.Times(300, 3000))
	program := r.client.Snapshot().Program()
	if n := len(program.Keys()); n < 25 {
		t.Fatalf("the estate has %d flags only", n)
	}
	lines := strings.Join(contexts, "\n")
	stdout := r.run(t, strings.NewReader(lines), "eval", "--all", "--json", "--contexts", "-", "--from", r.url,
		"--root", r.root)
	evaluated := json.NewDecoder(bytes.NewReader(stdout))
	served := make(map[string]int) // how often which variant of which flag
	for i, ctx := range contexts {
		want := r.ask(t, ctx)
		for _, a := range want {
			served[a.Key+" "+a.Variant]++
		}
		fromEval := make([]answer, len(want))
		for j := range fromEval {
			if err := evaluated.Decode(&fromEval[j]); err != nil {
				t.Fatalf("context %d: reading the answers of serin eval: %v", i, err)
			}
		}
		for door, got := range map[string][]answer{
			"serin eval":  fromEval,
			"serin serve": askAll(t, r.serve, ctx),
			"lambda":      askAll(t, r.lambda, ctx),
		} {
			compareAnswers(t, program, door, ctx, want, got)
		}
		if i%100 == 0 { // one by one too
			for door, url := range map[string]string{"serin serve": r.serve, "lambda": r.lambda} {
				var got []answer
				for _, a := range want {
					got = append(got, askOne(t, url, a.Key, ctx))
				}
				compareAnswers(t, program, door+", flag by flag", ctx, want, got)
			}
		}
	}
	// Equal answers say little if the contexts don't tell users apart.
	if len(served) < 2*len(program.Keys())-10 {
		t.Errorf("only %d variants of %d flags were served", len(served), len(program.Keys()))
	}
}

// compareAnswers fails the test if a door's answers aren't those of the SDK.
func compareAnswers(t *testing.T, program *evaluator.Program, door, ctx string, want, got []answer) {
	t.Helper()
	want, got = settled(program, want), settled(program, got)
	if !reflect.DeepEqual(want, got) { // many times quicker than a diff
		t.Fatalf("%s, context %s (-sdk +door):\n%s", door, ctx, cmp.Diff(want, got))
	}
}

// ask asks the SDK for all flags.
func (r *road) ask(t *testing.T, text string) []answer {
	t.Helper()
	ctx, err := evaluator.DecodeContext([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	snapshot := r.client.Snapshot()
	for _, key := range snapshot.Program().Keys() {
		var a answer
		decode(t, lambda.Answer{Key: key, Result: snapshot.Evaluate(key, ctx)}.AppendJSON(nil), &a)
		answers = append(answers, a)
	}
	return answers
}

// settled leaves out what is drawn by chance.
func settled(program *evaluator.Program, answers []answer) []answer {
	answers = slices.Clone(answers)
	for i := range answers {
		if flag := program.Flag(answers[i].Key); flag != nil && flag.UsesChance() {
			answers[i].Value, answers[i].Variant = nil, ""
		}
	}
	return answers
}

func askAll(t *testing.T, url, ctx string) []answer {
	t.Helper()
	var all struct{ Flags []answer }
	decode(t, post(t, url+"/ofrep/v1/evaluate/flags", ctx), &all)
	return all.Flags
}

func askOne(t *testing.T, url, key, ctx string) answer {
	t.Helper()
	var a answer
	decode(t, post(t, url+"/ofrep/v1/evaluate/flags/"+key, ctx), &a)
	return a
}

func post(t *testing.T, url, ctx string) []byte {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"context":`+ctx+`}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, error %v: %s", url, resp.StatusCode, err, body)
	}
	return body
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("decoding %s: %v", data, err)
	}
}

// randomContexts returns contexts in which the rules of the estate tell users
// apart, the same ones every time. Any attribute may be missing, and a few are
// of another type.
func randomContexts(n int) []string {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func(values ...string) func() any { return func() any { return values[rnd.IntN(len(values))] } }
	number := func(most int64) func() any { return func() any { return rnd.Int64N(most) } }
	attributes := []struct {
		name string
		draw func() any
	}{
		{"targetingKey", func() any { return fmt.Sprintf("u-%d", rnd.IntN(2000)) }},
		{"uid", number(10_000)},
		{"email", text("a@serin.example", "b@example.com", "oncall@serin.example", "")},
		{"phone", func() any { return fmt.Sprintf("+86138%08d", rnd.IntN(100_000_000)) }},
		{"plan", text("free", "plus", "business")},
		{"orders", number(60)},
		{"merchant_id", number(100_000)},
		{"country", text("CN", "DE", "FR", "US", "SG", "JP")},
		{"city", text("BJ", "SH", "TJ", "CQ", "shenzhen", "guangzhou", "lhasa", "北京")},
		{"city_id", func() any { return 100_000 + rnd.Int64N(600_000) }},
		{"location", text("shenzhen", "Shenzhen", "beijing")},
		{"ip", func() any { return fmt.Sprintf("0.0.%d.%d", rnd.IntN(40), rnd.IntN(256)) }},
		{"ip", text("10.1.2.3", "192.168.7.7", "2001:db8::1", "::ffff:10.0.0.1", "not an address")},
		{"device", func() any { return fmt.Sprintf("d-%x", rnd.Uint64()) }},
		{"platform", text("app", "web", "pc")},
		{"channel", text("appstore", "googleplay", "huawei", "xiaomi", "web")},
		{"os", text("ios", "android", "harmony", "windows", "macos", "linux")},
		{"os_version", text("14.0.0", "17.1", "9", "12.0.0-beta.1", "x")},
		{"app_version", text("2.3.0", "2.2.9", "3.0.0-rc.1", "4.12.3", "5", "1.0.0+7")},
		{"user_agent", text("Mozilla/5.0 (X11; Linux)", "Googlebot/2.1", "curl/8.1", "SerinApp/4.2 (iPhone)")},
		{"business_line", text("food", "rides", "hotels", "groceries")},
		{"path", text("/api/v1/orders", "/api/v2/cart", "/admin", "/")},
		{"referrer", text("example.com", "news.example.com", "")},
		{"signed_in", func() any { return rnd.IntN(2) == 0 }},
		{"order_total", number(100_000)},
		{"query", text("noodles", "夜宵", "NOODLES near me")},
		{"service", text("search", "checkout", "gateway")},
		{"host", text("web-1", "web-02.internal", "batch-7")},
	}
	contexts := make([]string, n)
	for i := range contexts {
		ctx := make(map[string]any)
		for _, a := range attributes {
			switch rnd.IntN(10) {
			case 0, 1, 2: // missing
			case 3:
				if a.name != "targetingKey" {
					ctx[a.name] = []any{nil, 1.5, true, "text", map[string]any{"a": 1}}[rnd.IntN(5)]
				}
			default:
				ctx[a.name] = a.draw()
			}
		}
		line, err := json.Marshal(ctx)
		if err != nil {
			panic(err) // not reached: all of it has a JSON form
		}
		contexts[i] = string(line)
	}
	return contexts
}

// providers asks "serin serve" through OpenFeature's stock providers for OFREP.
func (r *road) providers(t *testing.T) {
	const dir = "testdata/js/ofrep"
	npmtest.Install(t, dir)
	type evaluation struct {
		Flag         string          `json:"flag"`
		Type         string          `json:"type"`
		DefaultValue any             `json:"defaultValue"`
		Context      json.RawMessage `json:"context,omitempty"`
	}
	ctx := json.RawMessage(`{"targetingKey":"u-7","uid":30,"city":"SH","location":"shenzhen"}`)
	program := r.client.Snapshot().Program()
	want := r.ask(t, string(ctx))
	want = slices.DeleteFunc(want, func(a answer) bool { return program.Flag(a.Key).UsesChance() })
	var evaluations []evaluation
	for _, a := range want {
		e := evaluation{Flag: a.Key, Context: ctx}
		switch program.Flag(a.Key).Evaluate(&evaluator.Context{}).Value().Kind() {
		case evaluator.KindBool:
			e.Type, e.DefaultValue = "boolean", false
		case evaluator.KindString:
			e.Type, e.DefaultValue = "string", "fallback"
		case evaluator.KindInt, evaluator.KindFloat:
			e.Type, e.DefaultValue = "number", -1
		case evaluator.KindObject:
			e.Type, e.DefaultValue = "object", map[string]any{}
		}
		evaluations = append(evaluations, e)
	}
	type details struct {
		FlagKey, Variant, Reason string
		Value                    json.RawMessage
	}
	check := func(t *testing.T, got []details) {
		t.Helper()
		var wanted []details
		for _, a := range want {
			wanted = append(wanted, details{a.Key, a.Variant, a.Reason, a.Value})
		}
		if diff := cmp.Diff(wanted, got, cmp.Transformer("json", func(raw json.RawMessage) (v any) {
			decode(t, raw, &v)
			return v
		})); diff != "" {
			t.Errorf("answers differ (-sdk +provider):\n%s", diff)
		}
	}
	t.Run("server", func(t *testing.T) {
		out := npmtest.Run(t, dir, "server.mjs", map[string]any{"baseUrl": r.serve, "evaluations": evaluations})
		var got []details
		if err := json.NewDecoder(out).Decode(&got); err != nil {
			t.Fatal(err)
		}
		check(t, got)
	})
	t.Run("web", func(t *testing.T) {
		step := map[string]any{"context": ctx, "evaluations": evaluations}
		out := npmtest.Run(t, dir, "web.mjs", map[string]any{"baseUrl": r.serve, "steps": []any{step}})
		var got struct{ Details []details }
		for lines := json.NewDecoder(out); got.Details == nil; { // responses come before
			if err := lines.Decode(&got); err != nil {
				t.Fatal(err)
			}
		}
		check(t, got.Details)
	})
}

// change publishes one changed flag, and waits for the SDK and the server, which
// run, to have it.
func (r *road) change(t *testing.T) {
	before := r.client.Snapshot().Revision()
	file := filepath.Join(r.dir, "routing", "route-by-uid-tail.yaml")
	test := filepath.Join(r.dir, "routing", "route-by-uid-tail.test.yaml")
	for _, name := range []string{file, test} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(data, []byte("beta3"), []byte("beta9")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r.publish(t)

	route := sdk.String("route-by-uid-tail", "none")
	deadline := time.Now().Add(30 * time.Second)
	for route.Get(r.client, sdk.User("", sdk.Attr("uid", 30))) != "beta9" ||
		string(askOne(t, r.serve, route.Key(), `{"uid":30}`).Value) != `"beta9"` {
		if time.Now().After(deadline) {
			t.Fatalf("the change did not arrive; status of the SDK: %+v", r.client.Status())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if after := r.client.Snapshot().Revision(); after <= before {
		t.Errorf("revision %d follows revision %d", after, before)
	}
	if status := r.client.Status(); status.State != sdk.Fresh || status.Errors[bundle.Signature] != 0 {
		t.Errorf("the status is %+v", status)
	}
}
