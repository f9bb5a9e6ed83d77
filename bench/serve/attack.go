//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// A hostile client sends something over and over, until stop is closed.
type hostile struct {
	name string
	run  func(dial func() (net.Conn, error), stop <-chan struct{})
}

// hold opens n connections that send text, then a byte each second. One that the server
// closes is opened again.
func hold(n int, text, drip string) func(func() (net.Conn, error), <-chan struct{}) {
	return func(dial func() (net.Conn, error), stop <-chan struct{}) {
		conns := make([]net.Conn, n)
		defer func() {
			for _, conn := range conns {
				if conn != nil {
					conn.Close()
				}
			}
		}()
		for i := 0; ; i = (i + 1) % n {
			if conns[i] != nil {
				if _, err := io.WriteString(conns[i], drip); err != nil {
					conns[i].Close()
					conns[i] = nil
				}
			}
			if conns[i] == nil {
				if conn, err := dial(); err == nil {
					conns[i] = conn
					_, _ = io.WriteString(conn, text) // if it fails, so does the next write
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second / time.Duration(n)):
			}
		}
	}
}

// repeat sends a request over new connections, so many times a second, and reads what comes.
func repeat(rate int, text string) func(func() (net.Conn, error), <-chan struct{}) {
	return func(dial func() (net.Conn, error), stop <-chan struct{}) {
		for {
			if conn, err := dial(); err == nil {
				_ = conn.SetDeadline(time.Now().Add(time.Second))
				_, _ = io.WriteString(conn, text) // the server may refuse it
				_, _ = io.CopyN(io.Discard, conn, 100)
				conn.Close()
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second / time.Duration(rate)):
			}
		}
	}
}

// hostiles are clients that hold what they can, or send what is refused. They take little
// time themselves, since they share the machine with the server and with those who measure.
func hostiles() []hostile {
	const post = "POST /ofrep/v1/evaluate/flags/flag-7 HTTP/1.1\r\nHost: x\r\n"
	return []hostile{
		{"1,000 slow headers", hold(1000, post+"Cookie: ", "x")},
		{"1,000 slow bodies", hold(1000, post+"Content-Length: 65536\r\n\r\n{", " ")},
		{"1,000 idle connections", hold(1000, post+"Content-Length: 0\r\n\r\n", "")},
		{"1,000 streams that aren't read", hold(1000, "GET /ofrep/v1/events HTTP/1.1\r\nHost: x\r\n\r\n", "")},
		{"50 bodies of 1 GB a second", repeat(50, post+"Content-Length: 1073741824\r\n\r\n"+strings.Repeat("[", 100_000))},
		{"50 times 10,000 headers a second", repeat(50, post+strings.Repeat("A: b\r\n", 10_000)+"\r\n")},
		{"50 times deep JSON a second", repeat(50, post+"Content-Length: 65536\r\n\r\n"+strings.Repeat("[", 65536))},
		{"50 addresses of 1 MB a second", repeat(50, "GET /"+strings.Repeat("x", 1<<20)+" HTTP/1.1\r\n\r\n")},
	}
}

// attack measures how long others wait while a server is attacked.
func (r *run) attack(w io.Writer) error {
	flags, err := r.estate("attack", 20)
	if err != nil {
		return err
	}
	return r.withServers(flags, func(serin *process) error {
		t := &target{process: serin, accept: contains(`"variant":"beta`),
			requests: posts("/ofrep/v1/evaluate/flags/flag-7", 50)}
		fmt.Fprintf(w, "\nOthers while a server is attacked, %.0f requests per second; beside each, just before, without the attack\n", r.rate)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(tw, "\tp99 before\tp99\tx\t")
		worst := 0.0
		for _, h := range hostiles() {
			var before, during []sample
			for range r.rounds {
				b, d, err := r.attacked(t, h)
				if err != nil {
					return fmt.Errorf("%s: %w", h.name, err)
				}
				before, during = append(before, b), append(during, d)
			}
			x := ratio(during, before, p99Of)
			worst = max(worst, x)
			fmt.Fprintf(tw, "%s\t%d µs\t%d µs\t%.2f\t\n", h.name, median(before, p99Of).Microseconds(),
				median(during, p99Of).Microseconds(), x)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		bar(w, "p99 of others during the worst attack, relative to before", worst, false, 2)
		return nil
	})
}

// attacked measures t without and with an attack.
func (r *run) attacked(t *target, h hostile) (before, during sample, err error) {
	if before, err = t.paced(r.requests/4, r.rate); err != nil {
		return before, during, err
	}
	stop := make(chan struct{})
	var attackers sync.WaitGroup
	attackers.Go(func() { h.run(t.dial, stop) })
	time.Sleep(time.Second) // until all connections are open
	during, err = t.paced(r.requests/4, r.rate)
	close(stop)
	attackers.Wait()
	return before, during, err
}
