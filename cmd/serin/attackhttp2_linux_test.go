package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Types and flags of frames of HTTP/2, of RFC 9113.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameContinuation = 0, 1, 3, 4, 6, 9

	endStream, endHeaders = 1, 4
)

// preface is how a client begins, with empty settings.
var preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(frameSettings, 0, 0, "")

// frame returns a frame.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(binary.BigEndian.AppendUint32(head, stream)) + payload
}

// fields returns a block of headers that asks for a path. Names are of HPACK's static table.
func fields(post bool, path string) string {
	method := "\x82" // :method GET
	if post {
		method = "\x83"
	}
	return method + "\x87" + "\x04" + string(rune(len(path))) + path + "\x01\x01x" // :scheme https, :path, :authority
}

// streams returns frames for n streams, each made by f.
func streams(n int, f func(stream uint32) string) string {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(f(uint32(2*i + 1)))
	}
	return b.String()
}

// floods are attacks over HTTP/2.
func floods() []attack {
	const flags = "/ofrep/v1/evaluate/flags"
	h2 := func(n int, text string) func(*testing.T, *victim) []net.Conn { return held(n, preface+text, "h2") }
	return []attack{
		{"rapid reset", h2(20, streams(2000, func(stream uint32) string {
			return frame(frameHeaders, endStream|endHeaders, stream, fields(true, flags)) +
				frame(frameReset, 0, stream, "\x00\x00\x00\x08")
		}))},
		{"more streams than may be", h2(20, streams(2000, func(stream uint32) string {
			return frame(frameHeaders, endStream|endHeaders, stream, fields(true, flags))
		}))},
		{"streams of events", h2(20, streams(100, func(stream uint32) string {
			return frame(frameHeaders, endStream|endHeaders, stream, fields(false, "/ofrep/v1/events"))
		}))},
		{"pings", h2(20, strings.Repeat(frame(framePing, 0, 0, "12345678"), 20_000))},
		{"settings", h2(20, strings.Repeat(frame(frameSettings, 0, 0, ""), 20_000))},
		{"empty data", h2(2, frame(frameHeaders, endHeaders, 1, fields(true, flags))+strings.Repeat(frame(frameData, 0, 1, ""), 50_000))},
		{"endless headers", h2(20, frame(frameHeaders, 0, 1, fields(true, flags))+strings.Repeat(frame(frameContinuation, 0, 1, strings.Repeat("\x00\x01a\x01b", 3000)), 100))},
		{"slow bodies", h2(2, streams(100, func(stream uint32) string {
			return frame(frameHeaders, endHeaders, stream, fields(true, flags)) + frame(frameData, 0, stream, "{")
		}))},
		{"a preface and no more", held(2*attackLimit, preface[:30], "h2")},
	}
}

// TestFloodsOverHTTP2 is [TestAttacks] for what only HTTP/2 has.
func TestFloodsOverHTTP2(t *testing.T) {
	raiseFileLimit(t)
	v := startVictim(t, true)
	for _, a := range floods() {
		t.Run(a.name, func(t *testing.T) {
			conns := a.run(t, v)
			v.normal(t)
			v.bounded(t)
			for _, conn := range conns {
				if c, ok := conn.(*tls.Conn); ok {
					c.NetConn().Close()
				}
			}
			v.recovers(t)
		})
	}
}

// TestTooMuchOverHTTP2 holds that one client whose requests are all held can't take more
// than the limit of requests, after which others get 503, and that they are answered once it
// has gone.
func TestTooMuchOverHTTP2(t *testing.T) {
	v := startVictim(t, true)
	hold := held(1, preface+streams(100, func(stream uint32) string {
		return frame(frameHeaders, endHeaders, stream, fields(true, "/ofrep/v1/evaluate/flags")) +
			frame(frameData, 0, stream, "{")
	}), "h2")
	conns := hold(t, v)
	for len(conns) < attackLimit/100 {
		conns = append(conns, hold(t, v)...)
	}
	client := secureClient(t, v.roots)
	get := func() string {
		response, err := client.Post(v.url+"/ofrep/v1/evaluate/flags", "application/json", nil)
		if err != nil {
			return err.Error()
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return fmt.Sprint(response.StatusCode, " ", response.Header.Get("Retry-After"))
	}
	eventually(t, "503 1", func() string {
		conns = append(conns, hold(t, v)...) // our last request may have had the place of one of theirs
		return get()
	})
	if response, err := client.Get(v.url + "/healthz"); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("healthz: %v", err)
	}
	v.bounded(t)
	for _, conn := range conns {
		conn.(*tls.Conn).NetConn().Close()
	}
	eventually(t, "200 ", get)
}

// TestManyRequestsOverHTTP2 holds that a client may have as many requests at once as the
// server lets it on a connection, again and again.
func TestManyRequestsOverHTTP2(t *testing.T) {
	v := startVictim(t, true)
	client := secureClient(t, v.roots)
	post := func(user int) {
		response, err := client.Post(v.url+"/ofrep/v1/evaluate/flags/new-checkout", "application/json",
			strings.NewReader(fmt.Sprintf(`{"context":{"targetingKey":"u-%d"}}`, user)))
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.ProtoMajor != 2 || !strings.Contains(string(body), `"reason":"SPLIT"`) {
			t.Errorf("HTTP/%d: %s, %v", response.ProtoMajor, body, err)
		}
	}
	post(0) // now there is a connection
	var clients sync.WaitGroup
	for i := range 100 {
		clients.Go(func() {
			for j := range 20 {
				post(20*i + j)
			}
		})
	}
	clients.Wait()
	v.bounded(t)
}
