//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// connections is how many connections ask a server, each one request after the other.
const connections = 8

// A target is a server, and what to ask it for, in turn.
type target struct {
	*process
	requests [][]byte
	accept   func(header, body []byte) error // checks an answer
}

// A sample is what was measured of a target in a round.
type sample struct {
	cpu      time.Duration // for a request
	p50, p99 time.Duration
}

// ask sends n requests, over connections that are kept, and returns what they took.
func (t *target) ask(n int) (sample, error) {
	before, err := cpu(t.pid)
	if err != nil {
		return sample{}, err
	}
	each := n / connections
	histograms, errs := make([]*hdrhistogram.Histogram, connections), make([]error, connections)
	var clients sync.WaitGroup
	for i := range connections {
		histograms[i] = hdrhistogram.New(1, 60e9, 3)
		clients.Go(func() { errs[i] = t.client(each, i, histograms[i], func(int) time.Time { return time.Now() }) })
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		return sample{}, fmt.Errorf("%s: %w", t.name, err)
	}
	after, err := cpu(t.pid)
	if err != nil {
		return sample{}, err
	}
	for _, h := range histograms[1:] {
		histograms[0].Merge(h)
	}
	return sample{(after - before) / time.Duration(each*connections), time.Duration(histograms[0].ValueAtQuantile(50)),
		time.Duration(histograms[0].ValueAtQuantile(99))}, nil
}

// paced sends n requests at a rate per second, and returns how long answers took.
func (t *target) paced(n int, rate float64) (sample, error) {
	each := n / connections
	histograms, errs := make([]*hdrhistogram.Histogram, connections), make([]error, connections)
	var clients sync.WaitGroup
	for i := range connections {
		histograms[i] = hdrhistogram.New(1, 60e9, 3)
		clients.Go(func() {
			gap := time.Duration(float64(time.Second) * connections / rate)
			began := time.Now().Add(gap * time.Duration(i) / connections)
			errs[i] = t.client(each, i, histograms[i], func(k int) time.Time {
				time.Sleep(time.Until(began.Add(time.Duration(k) * gap)))
				return time.Now()
			})
		})
	}
	clients.Wait()
	for _, h := range histograms[1:] {
		histograms[0].Merge(h)
	}
	return sample{0, time.Duration(histograms[0].ValueAtQuantile(50)),
		time.Duration(histograms[0].ValueAtQuantile(99))}, errors.Join(errs...)
}

// client sends n requests over one connection, each once next returns, which returns the time.
func (t *target) client(n, first int, to *hdrhistogram.Histogram, next func(i int) time.Time) error {
	conn, err := t.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64<<10)
	var body []byte
	for i := range n {
		began := next(i)
		if _, err := conn.Write(t.requests[(first+i)%len(t.requests)]); err != nil {
			return err
		}
		header, rest, err := readAnswer(reader, body)
		if err != nil {
			return err
		}
		body = rest
		if err := to.RecordValue(time.Since(began).Nanoseconds()); err != nil {
			return err
		}
		if err := t.accept(header, body); err != nil {
			return fmt.Errorf("%w: %s%s", err, header, body)
		}
	}
	return nil
}

// readAnswer reads an answer with a Content-Length into room, which it returns as the body.
// It takes little time, since clients share the machine with servers.
func readAnswer(r *bufio.Reader, room []byte) (header, body []byte, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, nil, err
		}
		header = append(header, line...)
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, nil, err
			}
		}
		if len(line) == 2 {
			break
		}
	}
	body = slices.Grow(room[:0], length)[:length]
	_, err = io.ReadFull(r, body)
	return header, body, err
}

// ratio returns the median of the ratios of two targets' samples, round by round.
func ratio(of, to []sample, what func(sample) time.Duration) float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = float64(what(of[i])) / float64(what(to[i]))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// median returns the median of a figure of samples.
func median(samples []sample, what func(sample) time.Duration) time.Duration {
	all := make([]time.Duration, len(samples))
	for i, s := range samples {
		all[i] = what(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func cpuOf(s sample) time.Duration { return s.cpu }
func p50Of(s sample) time.Duration { return s.p50 }
func p99Of(s sample) time.Duration { return s.p99 }
