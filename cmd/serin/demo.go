package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show every step, from flag files to answers, in a temporary folder",
		Long: `Demo checks, tests, compiles and signs example flags and publishes them to a
temporary folder. It pulls and verifies them as a program would, evaluates flags
in process and over HTTP, and changes one while the program runs. It needs no
account and no network.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &demo{out: cmd.OutOrStdout(), last: time.Now()}
			defer d.close()
			if err := d.run(cmd.Context()); err != nil {
				return err
			}
			_, err := io.WriteString(d.out, demoNext)
			return err
		},
	}
}

const demoNext = `
That was everything. What to do next:

  serin dev flags                            edit flags/checkout/new-checkout.yaml and watch
  serin eval new-checkout --from flags -c user=u-1 -c city=shenzhen
  serin keys init keys/production --env production
  serin publish flags --env production --to s3://YOUR-BUCKET --keys keys/production

In Go: sdk.Open, then sdk.Bool("new-checkout", false).Get(client, sdk.User("u-1")).
Everywhere else: an OpenFeature OFREP provider, with the URL of 'serin serve' or the Lambda.
`

// A demo is one run of the demo.
type demo struct {
	out     io.Writer
	last    time.Time // when the present step began
	cleanup []func()

	dir    string // of the flag files
	estate *ci.Estate
	local  *local
	client *sdk.Client
	url    string // of the server
}

// defers has f run when the demo is over.
func (d *demo) defers(f func()) { d.cleanup = append(d.cleanup, f) }

func (d *demo) close() {
	for i := len(d.cleanup) - 1; i >= 0; i-- {
		d.cleanup[i]()
	}
}

// step prints what was done and how long it took.
func (d *demo) step(name, format string, args ...any) {
	took := time.Since(d.last)
	unit := time.Microsecond
	if took > 10*time.Millisecond {
		unit = time.Millisecond
	}
	fmt.Fprintf(d.out, "%-9s %-68s %8v\n", name, fmt.Sprintf(format, args...), took.Round(unit))
	d.last = time.Now()
}

// demoEnv is the environment that the demo publishes.
const demoEnv = "production"

func (d *demo) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.write, d.check, d.test, d.makeKeys, d.publish, d.verify, d.pull, d.evaluate, d.serve, d.ask, d.change,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) write(context.Context) error {
	dir, err := os.MkdirTemp("", "serin-demo-")
	if err != nil {
		return err
	}
	d.defers(func() { os.RemoveAll(dir) })
	if err := os.CopyFS(dir, serin.Estate); err != nil {
		return err
	}
	d.dir = filepath.Join(dir, "flags")
	d.last = time.Now()
	return nil
}

func (d *demo) check(context.Context) (err error) {
	if d.estate, err = ci.Load(d.dir); err != nil {
		return err
	}
	d.step("check", "%s in %s", count(len(d.estate.Keys()), "flag"), count(len(d.estate.Namespaces()), "namespace"))
	return nil
}

func (d *demo) test(context.Context) error {
	report := d.estate.Test(ci.TestOptions{})
	if n := report.Failed(); n > 0 {
		return report.Problems()
	}
	d.step("test", "%s beside the flags", count(len(report.Results), "case"))
	return nil
}

func (d *demo) makeKeys(context.Context) (err error) {
	if d.local, err = newLocal(demoEnv); err != nil {
		return err
	}
	d.defers(d.local.close)
	d.step("keys", "a root to keep offline, an online key, and the root that clients pin")
	return nil
}

func (d *demo) publish(ctx context.Context) error {
	payloads, err := d.estate.Compile(demoEnv)
	if err != nil {
		return err
	}
	report, err := d.local.publish(ctx, payloads)
	if err != nil {
		return err
	}
	d.step("publish", "revision %d, signed: %s, %s", report.Revision, count(len(report.Objects), "object"),
		count(int(report.Bytes), "byte"))
	return nil
}

func (d *demo) verify(ctx context.Context) error {
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: d.local.keys.Root})
	if err != nil {
		return err
	}
	source, err := sdk.File(d.local.path("repository"))
	if err != nil {
		return err
	}
	release, err := verifier.Update(ctx, source, nil, time.Now())
	if err != nil {
		return err
	}
	d.step("verify", "from the pinned root down to %s", count(len(release.Payloads()), "payload"))
	return nil
}

func (d *demo) pull(ctx context.Context) (err error) {
	if d.client, err = d.local.open(ctx); err != nil {
		return err
	}
	d.defers(func() { d.client.Close() })
	status := d.client.Status()
	if status.State != sdk.Fresh {
		return fmt.Errorf("opening the client: its state is %v, not fresh: %w", status.State, status.LastError)
	}
	d.step("pull", "a Go program has revision %d", status.Revision)
	return nil
}

// demoRounds is how often the demo evaluates a flag.
const demoRounds = 1_000_000

func (d *demo) evaluate(context.Context) error {
	weight := sdk.String("canary-weight", "stable")
	canary := 0
	for i := range demoRounds {
		if weight.Get(d.client, sdk.User(demoUsers[i%len(demoUsers)])) == "canary" {
			canary++
		}
	}
	perCall := time.Since(d.last) / demoRounds
	explanation := weight.Explain(d.client, sdk.User(demoUsers[0]))
	d.step("evaluate", "canary-weight for %s: %s (%v); %v a call", demoUsers[0], explanation.Value,
		explanation.Reason, perCall)
	if canary == 0 || canary == demoRounds {
		return errors.New("evaluating canary-weight: all users got the same")
	}
	return nil
}

var demoUsers = []string{"u-1", "u-2", "u-3", "u-4", "u-5", "u-6", "u-7", "u-8"}

func (d *demo) serve(context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: lambda.New(d.client, lambda.Config{}), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// It ends with ErrServerClosed; a server that ended otherwise shows in
		// the next step.
		_ = server.Serve(listener)
	}()
	d.defers(func() {
		server.Close()
		<-done
	})
	d.url = "http://" + listener.Addr().String()
	d.step("serve", "OFREP on %s", d.url)
	return nil
}

func (d *demo) ask(ctx context.Context) error {
	value, err := d.fetch(ctx, "route-by-uid-tail", `{"uid": 30}`)
	if err != nil {
		return err
	}
	d.step("ask", "over HTTP, route-by-uid-tail for uid 30: %v", value)
	return nil
}

// fetch asks the server for a flag's value.
func (d *demo) fetch(ctx context.Context, key, context string) (any, error) {
	body := bytes.NewBufferString(`{"context": ` + context + `}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/ofrep/v1/evaluate/flags/"+key, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for %s: HTTP status %d", key, resp.StatusCode)
	}
	var answer struct{ Value any }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("asking for %s: %w", key, err)
	}
	return answer.Value, nil
}

// change sends the users that had beta3 to beta9, in the flag and in its test.
func (d *demo) change(ctx context.Context) error {
	for _, name := range []string{"route-by-uid-tail.yaml", "route-by-uid-tail.test.yaml"} {
		if err := replaceInFile(filepath.Join(d.dir, "routing", name), "beta3", "beta9"); err != nil {
			return err
		}
	}
	estate, err := ci.Load(d.dir)
	if err != nil {
		return err
	}
	if results := estate.Test(ci.TestOptions{}); results.Failed() > 0 {
		return results.Problems()
	}
	payloads, err := estate.Compile(demoEnv)
	if err != nil {
		return err
	}
	report, err := d.local.publish(ctx, payloads)
	if err != nil {
		return err
	}
	d.step("change", "beta3 becomes beta9, check, test, publish: revision %d, %s", report.Revision,
		count(len(report.Objects), "object"))
	return d.follow(ctx)
}

func replaceInFile(name, before, after string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, bytes.ReplaceAll(data, []byte(before), []byte(after)), 0o644)
}

// demoPatience is how long the demo waits for the client to follow.
const demoPatience = 30 * time.Second

// follow waits until the running program and the server have the change.
func (d *demo) follow(ctx context.Context) error {
	route := sdk.String("route-by-uid-tail", "stable")
	for route.Get(d.client, sdk.User("", sdk.Attr("uid", 30))) != "beta9" {
		if time.Since(d.last) > demoPatience || ctx.Err() != nil {
			return fmt.Errorf("following the change: the client still has revision %d", d.client.Snapshot().Revision())
		}
		time.Sleep(time.Millisecond)
	}
	value, err := d.fetch(ctx, "route-by-uid-tail", `{"uid": 30}`)
	if err != nil {
		return err
	}
	d.step("follow", "the running program and the server have it, unasked: %v", value)
	return nil
}
