//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// nginx compares the processor time of an nginx worker: proxying, asking for each request
// which upstream is to serve it, and doing so with decisions that are kept. The
// configuration is that of deploy/nginx, and the upstream answers with 1 KB.
func (r *run) nginx(w io.Writer) error {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return errors.New("there is no nginx: make deps installs it")
		}
	}
	serin, err := r.startSerin("decisions", filepath.Join(r.root, "deploy", "testdata", "flags"))
	if err != nil {
		return err
	}
	defer serin.stop()
	address, err := freeAddress()
	if err != nil {
		return err
	}
	upstream, err := r.startPlainOn(address, "upstream", "1024")
	if err != nil {
		return err
	}
	defer upstream.stop()
	var requests [][]byte
	for i := range 50 {
		requests = append(requests,
			fmt.Appendf(nil, "GET /shop?page=2 HTTP/1.1\r\nHost: shop.example.com\r\nX-Uid: %d\r\n"+
				"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0\r\nAccept: */*\r\nAccept-Language: en\r\n"+
				"Cookie: theme=dark; session=0123456789abcdef\r\n\r\n", 30+10*i))
	}
	var targets []*target
	for _, variant := range []struct{ name, decide, location string }{
		{"proxying", "", "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_pass http://beta3;"},
		{"/route", "decide.conf", "set $serin_flags by-tail; include route.conf; proxy_pass http://$serin_upstream;"},
		{"/route, kept", "decide-cached.conf", "set $serin_flags by-tail; include route.conf; proxy_pass http://$serin_upstream;"},
	} {
		p, err := r.startNginx(binary, address, variant.name, variant.decide, variant.location)
		if err != nil {
			return err
		}
		defer p.stop()
		targets = append(targets, &target{process: p, requests: requests, accept: contains("xxxxxxxx")})
	}
	samples, err := r.compare(w, "nginx in front of an upstream that answers with 1 KB, time of its worker", targets)
	if err != nil {
		return err
	}
	bar(w, "processor time with /route, relative to proxying", ratio(samples[1], samples[0], cpuOf), false, 1.7)
	bar(w, "with decisions that are kept", ratio(samples[2], samples[0], cpuOf), false, 1.7)
	return nil
}

// startNginx starts nginx with one worker. The process that is returned is the worker.
func (r *run) startNginx(binary, upstream, name, decide, location string) (*process, error) {
	dir := filepath.Join(r.dir, "nginx-"+strings.Map(letters, name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cache, err := os.MkdirTemp("/dev/shm", "serin-bench") // a tmpfs
	if err != nil {
		return nil, err
	}
	r.leftovers = append(r.leftovers, cache)
	if err := r.copyConfigurations(dir, cache); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := nginxConfig(dir, address, upstream, decide, location)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o666); err != nil {
		return nil, err
	}
	p, err := r.start(name, []string{binary, "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}, address)
	if err != nil {
		return nil, err
	}
	return nginxWorker(p)
}

// copyConfigurations copies those of deploy/nginx into a folder, with the sockets and caches of this run.
func (r *run) copyConfigurations(dir, cache string) error {
	for _, file := range []string{"serin.conf", "cache.conf", "route.conf", "decide.conf", "decide-cached.conf"} {
		data, err := os.ReadFile(filepath.Join(r.root, "deploy", "nginx", file))
		if err != nil {
			return err
		}
		text := strings.NewReplacer("/run/serin/serin.sock", r.socket("decisions"), "/run/serin/cache",
			filepath.Join(cache, "cache")).Replace(string(data))
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// nginxConfig returns the main configuration. The file decide, if there is one, asks for decisions.
func nginxConfig(dir, address, upstream, decide, location string) string {
	var upstreams strings.Builder
	for _, name := range []string{"stable", "beta1", "beta2", "beta3", "beta4"} {
		fmt.Fprintf(&upstreams, "upstream %s { server %s; keepalive 64; }\n", name, upstream)
	}
	include, general := "", ""
	if decide != "" {
		include, general = "include "+decide+";", "include serin.conf; include cache.conf;"
	}
	return fmt.Sprintf(`daemon off;
user root;
pid %[1]s/pid;
error_log %[1]s/error.log;
worker_processes 1;
events { worker_connections 512; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    %[5]s
    %[2]s
    server {
        listen %[6]s;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        %[3]s
        location / { %[4]s }
    }
}
`, dir, upstreams.String(), include, location, general, address)
}

// nginxWorker waits for the worker of an nginx that was started, and returns it.
func nginxWorker(p *process) (*process, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
		if fields := strings.Fields(string(children)); err == nil && len(fields) > 0 {
			// With a cache there are helpers, which end; the worker is what runs as one.
			for _, field := range fields {
				line, _ := os.ReadFile("/proc/" + field + "/cmdline")
				if strings.Contains(string(line), "worker process") {
					p.pid, err = strconv.Atoi(field)
					return p, err
				}
			}
		}
		if time.Now().After(deadline) {
			p.stop()
			return nil, errors.New("nginx has no worker")
		}
	}
}

// letters is for strings.Map: it keeps letters.
func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}
