package route_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

// BenchmarkServer asks over a Unix socket, one request after the other: a handler that
// answers 200 with one header, and the decision. The difference is what a decision takes.
func BenchmarkServer(b *testing.B) {
	h := handler(b, upstreams())
	one := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Serin-Variant"] = []string{"stable"}
		w.WriteHeader(http.StatusOK)
	})
	for _, bench := range []struct {
		name, path string
		handler    http.Handler
	}{
		{"one header", "/", one}, {"fixed", "/route/fixed", h}, {"by-uid", "/route/by-uid", h},
		{"three flags", "/route/by-city,by-uid,by-user", h},
	} {
		b.Run(bench.name, func(b *testing.B) {
			listener, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
			if err != nil {
				b.Fatal(err)
			}
			server := &http.Server{Handler: bench.handler}
			go server.Serve(listener)
			defer server.Close()
			conn, err := net.Dial("unix", listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			request := []byte("GET " + bench.path +
				" HTTP/1.1\r\nHost: shop\r\nX-Uid: 30\r\nX-Forwarded-For: 198.51.100.7\r\n" +
				"X-Forwarded-Uri: /shop?page=2\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0\r\n\r\n")
			reader := bufio.NewReader(conn)
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				resp, err := http.ReadResponse(reader, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(resp.Status, err)
				}
			}
		})
	}
}
