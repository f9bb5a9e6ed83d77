//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/serin-flags/serin/bench"
)

// revisions is how many revisions are published while requests are counted.
const revisions = 50

// failures counts requests that fail at half of the rate that is possible, while revisions
// are published, the source is down for a sixth of the time, and both servers behind nginx
// are restarted, one after the other.
func (r *run) failures(w io.Writer) error {
	c := &cluster{run: r, store: filepath.Join(r.dir, "store"), flags: bench.RuleFlags(100)}
	if err := c.start(); err != nil {
		return err
	}
	defer c.stop()
	rate, err := c.fastest()
	if err != nil {
		return err
	}
	rate /= 2
	ended := make(chan error, 1)
	go func() { ended <- c.disturb(r.duration) }()
	var m vegeta.Metrics
	var wrong atomic.Int64
	attacker := vegeta.NewAttacker(vegeta.Workers(16), vegeta.MaxWorkers(64), vegeta.KeepAlive(true))
	pace := vegeta.Rate{Freq: int(rate), Per: time.Second}
	for result := range attacker.Attack(c.targeter(), pace, r.duration, "serin") {
		m.Add(result)
		if result.Code != http.StatusOK || !strings.Contains(string(result.Body), `"key":"`+c.key()+`"`) {
			wrong.Add(1)
		}
	}
	m.Close()
	if err := <-ended; err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d requests in %v through nginx, at half of the highest rate. Meanwhile, %d revisions were\n"+
		"published, the source was down for %v, and each server was restarted.\n"+
		"Latency: p50 %v, p99 %v, max %v\n", m.Requests, r.duration, revisions, r.duration/6,
		m.Latencies.P50.Round(time.Microsecond), m.Latencies.P99.Round(time.Microsecond),
		m.Latencies.Max.Round(time.Microsecond))
	if wrong.Load() > 0 {
		text, _ := os.ReadFile(filepath.Join(c.dir, "balancer", "error.log"))
		fmt.Fprintf(w, "%q\n%.3000s\n", m.Errors, text)
	}
	bar(w, "failed requests", float64(wrong.Load()), false, 0)
	return nil
}

// A cluster is two servers behind nginx, and the source of their flags.
type cluster struct {
	*run
	store   string
	root    string
	flags   []bench.Flag
	down    atomic.Bool // the source
	source  *http.Server
	url     string
	servers [2]*process
	nginx   *process
	address string
}

func (c *cluster) key() string { return c.flags[7].Key }

// publish publishes the next revision.
func (c *cluster) publish() error {
	root, err := bench.PublishRevision(c.store, &bench.Estate{Flags: c.flags})
	if err != nil || c.root != "" {
		return err
	}
	c.root = filepath.Join(c.dir, "root.json")
	return os.WriteFile(c.root, root, 0o666)
}

// start starts everything.
func (c *cluster) start() error {
	if err := c.publish(); err != nil {
		return err
	}
	files := http.FileServer(http.Dir(c.store))
	address, err := freeAddress()
	if err != nil {
		return err
	}
	c.source = &http.Server{Addr: address, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.down.Load() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		files.ServeHTTP(w, r)
	})}
	c.url = "http://" + address + "/serin"
	go c.source.ListenAndServe() // ends with stop
	for i := range c.servers {
		if err := c.startServer(i); err != nil {
			return err
		}
	}
	return c.startNginx()
}

func (c *cluster) startServer(i int) (err error) {
	socket := c.socket(fmt.Sprint("server-", i))
	name := fmt.Sprint("server ", i)
	c.servers[i], err = c.run.start(name,
		[]string{c.serin, "serve", "--from", c.url, "--root", c.root, "--interval", "200ms",
			"--cache", filepath.Join(c.dir, fmt.Sprint("cache-", i)), "--listen", "unix:" + socket, "--grace", "2s"},
		socket)
	return err
}

// startNginx starts nginx as a balancer that knows nothing of /status: it retries what it
// can't send.
func (c *cluster) startNginx() error {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx"
	}
	if c.address, err = freeAddress(); err != nil {
		return err
	}
	dir := filepath.Join(c.dir, "balancer")
	config := fmt.Sprintf(`daemon off;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
worker_processes 1;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
    keepalive_requests 1000000000;
    upstream flags {
        server unix:%[2]s fail_timeout=1s;
        server unix:%[3]s fail_timeout=1s;
        keepalive 32;
        keepalive_timeout 1s;
        keepalive_requests 1000000000;
    }
    server {
        listen %[4]s;
        location / { proxy_pass http://flags; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
`, dir, c.socket("server-0"), c.socket("server-1"), c.address)
	if err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o666)); err != nil {
		return err
	}
	c.nginx, err = c.run.start("balancer", []string{binary, "-p", dir, "-c", filepath.Join(dir, "nginx.conf")},
		c.address)
	return err
}

func (c *cluster) stop() {
	c.source.Close()
	for _, p := range append(c.servers[:], c.nginx) {
		if p != nil {
			p.stop()
		}
	}
}

// path returns that of all requests.
func (c *cluster) path() string { return "/ofrep/v1/evaluate/flags/" + c.key() }

func (c *cluster) targeter() vegeta.Targeter {
	return vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: "http://" + c.address + c.path(),
		Body:   []byte(`{"context":{"targetingKey":"user-1000"}}`),
		Header: http.Header{"Content-Type": {"application/json"}}})
}

// fastest returns how many requests per second are possible through nginx.
func (c *cluster) fastest() (float64, error) {
	t := &target{process: c.nginx, requests: posts(c.path(), 50), accept: contains(`"key"`)}
	if _, err := t.ask(c.requests / 4); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err := t.ask(c.requests)
	return float64(c.requests) / time.Since(began).Seconds(), err
}

// disturb does what must not make a request fail.
func (c *cluster) disturb(during time.Duration) error {
	restarted := make(chan error, 1)
	go func() {
		for i := range c.servers {
			time.Sleep(during / 4)
			if err := c.restart(i); err != nil {
				restarted <- err
				return
			}
		}
		restarted <- nil
	}()
	for i := range revisions {
		time.Sleep(during / (revisions + 2))
		c.down.Store(i >= revisions/3 && i < revisions/2)
		c.flags = bench.Changed(c.flags, 10, 1+i)
		if err := c.publish(); err != nil {
			return err
		}
	}
	return <-restarted
}

// restart ends a server as systemd and Kubernetes do, and starts it again.
func (c *cluster) restart(i int) error {
	if err := c.servers[i].cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := c.servers[i].cmd.Wait(); err != nil {
		return fmt.Errorf("server %d: %w", i, err)
	}
	return c.startServer(i)
}
