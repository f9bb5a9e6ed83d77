//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// compare measures targets in turns. The first one is the standard.
func (r *run) compare(w io.Writer, title string, targets []*target) ([][]sample, error) {
	samples := make([][]sample, len(targets))
	for round := -1; round < r.rounds; round++ { // the first one warms up
		for i := range targets {
			i = (i + round + 1) % len(targets)
			s, err := targets[i].ask(r.requests)
			if err != nil {
				return nil, err
			}
			paced, err := targets[i].paced(r.requests/4, r.rate)
			if err != nil {
				return nil, err
			}
			s.p50, s.p99 = paced.p50, paced.p99
			if round >= 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\ttime/request\tx\tp50\tp99\tx\t")
	for i, t := range targets {
		fmt.Fprintf(tw, "%s\t%.2f µs\t%.2f\t%d µs\t%d µs\t%.2f\t\n", t.name,
			float64(median(samples[i], cpuOf).Nanoseconds())/1e3,
			ratio(samples[i], samples[0], cpuOf), median(samples[i], p50Of).Microseconds(),
			median(samples[i], p99Of).Microseconds(),
			ratio(samples[i], samples[0], p99Of))
	}
	return samples, tw.Flush()
}

// bar writes a figure beside what it is to be.
func bar(w io.Writer, title string, figure float64, least bool, limit float64) {
	sign, verdict := "at most", ""
	missed := figure > limit
	if least {
		sign, missed = "at least", figure < limit
	}
	if missed {
		verdict = "  missed"
	}
	fmt.Fprintf(w, "  %s: %.2f, %s %.2f%s\n", title, figure, sign, limit, verdict)
}

// one compares the evaluation of one flag with constant JSON.
func (r *run) one(w io.Writer) error {
	flags, err := r.estate("one", 20)
	if err != nil {
		return err
	}
	return r.withServers(flags, func(serin *process) error {
		t := &target{process: serin, accept: contains(`"variant":"beta`),
			requests: posts("/ofrep/v1/evaluate/flags/flag-7", 50)}
		size, err := t.size()
		if err != nil {
			return err
		}
		plain, err := r.startPlain("constant JSON", fmt.Sprint(size))
		if err != nil {
			return err
		}
		defer plain.stop()
		standard := &target{process: plain, accept: contains(`{"key":"xx`), requests: t.requests}
		samples, err := r.compare(w, fmt.Sprintf("One flag of 20, POST with a context, %d bytes of JSON, on one core",
			size), []*target{standard, t})
		if err != nil {
			return err
		}
		bar(w, "requests per second, relative to constant JSON", 1/ratio(samples[1], samples[0], cpuOf), true, 0.60)
		bar(w, "p99, relative to constant JSON", ratio(samples[1], samples[0], p99Of), false, 1.5)
		return nil
	})
}

// allFlags compares the evaluation of 100 flags with a constant body of the same size.
func (r *run) allFlags(w io.Writer) error {
	flags, err := r.estate("all", 100)
	if err != nil {
		return err
	}
	return r.withServers(flags, func(serin *process) error {
		t := &target{process: serin, accept: contains(`"variant":"beta`),
			requests: posts("/ofrep/v1/evaluate/flags", 50)}
		size, err := t.size()
		if err != nil {
			return err
		}
		plain, err := r.startPlain("constant body", fmt.Sprint(size))
		if err != nil {
			return err
		}
		defer plain.stop()
		standard := &target{process: plain, accept: contains(`{"key":"xx`), requests: t.requests}
		samples, err := r.compare(w,
			fmt.Sprintf("All of 100 flags, POST with a context, %d bytes of JSON, not compressed, on one core", size),
			[]*target{standard, t})
		if err != nil {
			return err
		}
		bar(w, "requests per second, relative to a constant body", 1/ratio(samples[1], samples[0], cpuOf), true, 0.35)
		return nil
	})
}

// route compares decisions for gateways with one header.
func (r *run) route(w io.Writer) error {
	flags, err := r.estate("route", 20)
	if err != nil {
		return err
	}
	return r.withServers(flags, func(serin *process) error {
		plain, err := r.startPlain("one header", "header")
		if err != nil {
			return err
		}
		defer plain.stop()
		measured, err := r.startSerin("serin, with metrics", flags, "--metrics-listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer measured.stop()
		requests := gets("/route/flag-7", 50)
		samples, err := r.compare(w, "GET /route of one flag of 20, on one core", []*target{
			{process: plain, accept: contains("X-Serin-Variant: stable"), requests: requests},
			{process: serin, accept: contains("X-Serin-Variant: beta"), requests: requests},
			{process: measured, accept: contains("X-Serin-Variant: beta"), requests: requests},
		})
		if err != nil {
			return err
		}
		bar(w, "processor time, relative to one header", ratio(samples[1], samples[0], cpuOf), false, 1.3)
		return nil
	})
}

// withServers starts a server of flags for f.
func (r *run) withServers(flags string, f func(serin *process) error) error {
	serin, err := r.startSerin("serin", flags)
	if err != nil {
		return err
	}
	defer serin.stop()
	return f(serin)
}

// estate writes n flags of five rules, and returns their folder. Users get beta1 or beta2.
func (r *run) estate(name string, n int) (string, error) {
	dir := filepath.Join(r.dir, name, "flags")
	files := map[string]string{"context.yaml": `attributes:
  user:    {type: string, unit: true, from: {header: X-User, trusted: true}}
  uid:     {type: integer, from: {header: X-Uid, trusted: true}}
  country: {type: string, from: {header: X-Country, trusted: true}}
  plan:    {type: string, from: {header: X-Plan, trusted: true}}
`}
	for i := range n {
		files[fmt.Sprintf("shop/flag-%d.yaml", i)] = `type: string
variants: {stable: stable, beta1: beta1, beta2: beta2}
default: stable
rules:
  - {name: staff, when: {user: [u-staff-1, u-staff-2]}, serve: beta1}
  - {name: nowhere, when: {country: [XA, XB], plan: free}, serve: beta1}
  - {name: partners, when: {plan: [partner, reseller]}, serve: beta2}
  - {name: tail, when: {uid: {mod: 100, in: [99]}}, serve: beta2}
  - {name: everyone, serve: {beta1: 50%, beta2: 50%}}
`
	}
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777),
			os.WriteFile(name, []byte(text), 0o666)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// posts returns requests of n users for a path.
func posts(path string, n int) (all [][]byte) {
	for i := range n {
		body := fmt.Sprintf(`{"context":{"targetingKey":"user-%d","uid":%d,"country":"DE","plan":"plus"}}`,
			1000+i, 1000+i)
		all = append(all, fmt.Appendf(nil,
			"POST %s HTTP/1.1\r\nHost: flags\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path,
			len(body), body))
	}
	return all
}

// gets returns requests of n users for a path, with the headers that nginx sends.
func gets(path string, n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil,
			"GET %s HTTP/1.1\r\nHost: serin\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Uri: /shop?page=2\r\n"+
				"X-Forwarded-Method: GET\r\nX-Forwarded-Host: shop.example.com\r\nX-User: user-%d\r\nX-Uid: %d\r\nX-Country: DE\r\nX-Plan: plus\r\n"+
				"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0\r\nAccept: */*\r\n\r\n", path, 1000+i, 1000+i))
	}
	return all
}

// contains returns what accepts answers with status 200 and a text.
func contains(text string) func(header, body []byte) error {
	return func(header, body []byte) error {
		if !bytes.HasPrefix(header, []byte("HTTP/1.1 200 ")) ||
			!bytes.Contains(header, []byte(text)) && !bytes.Contains(body, []byte(text)) {
			return fmt.Errorf("the answer lacks %q", strings.TrimSpace(text))
		}
		return nil
	}
}

// size returns how many bytes the body of the first answer has.
func (t *target) size() (n int, err error) {
	one := *t
	one.requests = t.requests[:1]
	one.accept = func(_, body []byte) error { n = len(body); return nil }
	_, err = one.ask(connections)
	return n, err
}
