package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/serin-flags/serin/bench"
)

// A runner runs the benchmarks of package bench, each call in a process of its
// own, and collects what they print.
type runner struct {
	binary   string
	env      []string
	measured bytes.Buffer
}

// measure builds and checks the benchmarks, and runs them in rounds: a machine
// that is slower for a while is then slower for every system.
func measure(rounds int, benchtime time.Duration) ([]byte, error) {
	dir, err := os.MkdirTemp("", "serin-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &runner{binary: filepath.Join(dir, "bench.test")}
	progress("building and checking the answers")
	if err := command("go", "test", "-c", "-o", r.binary, ".").Run(); err != nil {
		return nil, fmt.Errorf("building the benchmarks: %w", err)
	}
	if err := command(r.binary, "-test.run=^TestAnswers$").Run(); err != nil {
		return nil, fmt.Errorf("checking the answers: nothing is measured: %w", err)
	}
	if err := bench.PublishLarge(dir); err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	server := bench.Serve(dir)
	defer server.Close()
	r.env = append(os.Environ(), bench.EnvDir+"="+dir, bench.EnvURL+"="+server.URL)
	for i := range rounds {
		progress(fmt.Sprintf("round %d of %d", i+1, rounds))
		if err := r.round(i, benchtime); err != nil {
			return nil, err
		}
	}
	return r.measured.Bytes(), nil
}

func progress(what string) { fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), what) }

// round measures what is quick every time, and what takes long every other time.
func (r *runner) round(i int, benchtime time.Duration) error {
	if err := r.run("^BenchmarkWorkload$", benchtime.String()); err != nil {
		return err
	}
	if err := r.run("^BenchmarkGrowth$", benchtime.String()); err != nil {
		return err
	}
	if err := r.run("^BenchmarkCores$", benchtime.String()); err != nil {
		return err
	}
	if i%2 == 1 {
		return nil
	}
	for _, namespaces := range []string{"1", "20"} {
		if err := r.run("^BenchmarkUpdate$/^namespaces="+namespaces+"$", "1x"); err != nil {
			return err
		}
	}
	if err := r.run("^BenchmarkUpdateLists$", "1x"); err != nil {
		return err
	}
	for _, s := range bench.WithLists() {
		if err := r.run("^BenchmarkLoadLists$/^system="+s.Name()+"$", "1x"); err != nil {
			return err
		}
	}
	if err := r.run("^BenchmarkLists$", benchtime.String()); err != nil {
		return err
	}
	if err := r.run("^BenchmarkLoad$/^system="+bench.NoSystem+"$", "1x"); err != nil {
		return err
	}
	for _, s := range bench.Loadable() {
		if err := r.run("^BenchmarkLoad$/^system="+s.Name()+"$", "1x"); err != nil {
			return err
		}
		if err := r.run("^BenchmarkList$/^system="+s.Name()+"$", benchtime.String()); err != nil {
			return err
		}
	}
	return nil
}

// run runs the benchmarks that match.
func (r *runner) run(match, benchtime string) error {
	cmd := command(r.binary, "-test.run=^$", "-test.bench="+match, "-test.benchtime="+benchtime)
	cmd.Env = r.env
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(&out, &r.measured)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", match, err, out.Bytes())
	}
	return nil
}

// command returns a command whose output goes to stderr.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}
