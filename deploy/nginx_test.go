//go:build unix

package deploy

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/needs"
)

// startNginx starts nginx with the configurations of nginx/, and for tests one location
// for each list of flags: /f/{flags}/.
func startNginx(t *testing.T) *site {
	t.Helper()
	binary := needs.Command(t, "nginx")
	s := newSite(t)
	s.configure(t, "nginx/serin.conf", "map \"\" $serin_user {\n    default \"\";",
		"map $http_x_login $serin_user {\n    default $http_x_login;",
		"rate=500r/s", "rate=1r/s")
	s.configure(t, "nginx/decide.conf")
	s.configure(t, "nginx/route.conf")
	s.runNginx(t, binary, []string{"serin.conf"}, "burst=1000", "burst=3")
	return s
}

// runNginx starts nginx with server.conf and those of http {}, which were configured before,
// with what is told to be replaced in server.conf replaced.
func (s *site) runNginx(t *testing.T, binary string, includes []string, replaced ...string) {
	t.Helper()
	port := s.configure(t, "nginx/server.conf", append(replaced, "    location / {", `    location ~ ^/f/([^/]+)/ {
        set $serin_flags $1;
        include route.conf;
        proxy_pass http://$serin_upstream;
    }

    location / {`)...)
	s.url = "http://127.0.0.1:" + port
	config := fmt.Sprintf(`
pid %[1]s/pid;
error_log %[1]s/error.log info;
worker_processes 1;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    include %[2]s;
    include server.conf;
}
`, s.dir, strings.Join(includes, ";\n    include "))
	if err := os.WriteFile(filepath.Join(s.dir, "nginx.conf"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	user := "nobody"
	if os.Geteuid() == 0 { // the worker must reach the socket
		user = "root"
	}
	cmd := exec.Command(binary, "-p", s.dir, "-c", filepath.Join(s.dir, "nginx.conf"), "-g",
		"daemon off; user "+user+";")
	cmd.Stderr = os.Stderr
	start(t, cmd)
	s.await(t, filepath.Join(s.dir, "error.log"))
}

func TestNginx(t *testing.T) {
	s := startNginx(t)
	t.Run("decisions", func(t *testing.T) {
		for _, test := range []struct {
			path, want string
			headers    []string
		}{
			{"/", "beta3", []string{"X-Uid", "30"}},
			{"/", "beta2", []string{"X-Uid", "33"}},
			{"/", "stable", []string{"X-Uid", "7"}},
			{"/", "stable", nil},
			{"/", "stable", []string{"X-Uid", "30", "X-Uid", "33"}},
			{"/f/by-city/?city=beijing", "beta1", nil},
			{"/f/by-city/?city=shanghai", "beta2", nil},
			{"/f/by-city/?city=lhasa", "stable", nil},
			{"/f/by-city/?city=lhasa", "stable", []string{"X-Forwarded-Uri", "/?city=beijing"}},
			{"/f/by-location/", "beta4", []string{"location", "shenzhen"}},
			{"/f/by-location/", "stable", []string{"location", "beijing"}},
			{"/f/by-path/new/page", "beta2", nil},
			{"/f/by-path/newest", "stable", nil},
			{"/f/by-path/old/", "stable", []string{"X-Forwarded-Uri", "/f/by-path/new/"}},
			{"/f/by-platform/", "beta1", []string{"User-Agent", "okhttp/4.12.0"}},
			{"/f/by-platform/", "beta3", []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}},
			// Chosen people: only the authentication in front can name them.
			{"/", "beta1", []string{"X-Login", "alice"}},
			{"/", "stable", []string{"X-User", "alice"}},
			{"/", "stable", []string{"X-Login", "dave", "X-User", "alice"}},
			// Several levels: the first that matches, even if it serves the default.
			{"/", "beta1", []string{"X-Login", "bob", "X-Uid", "30"}},
			{"/", "stable", []string{"X-Login", "carol", "X-Uid", "30"}},
			{"/", "beta3", []string{"X-Login", "dave", "X-Uid", "30"}},
			// Addresses, which no header can change.
			{"/f/by-ip/", "stable", nil},
			{"/f/by-ip/", "stable", []string{"X-Forwarded-For", "127.0.0.2", "X-Real-IP", "0.0.8.0", "Forwarded", "for=127.0.0.2"}},
			{"/f/by-ip/", "stable", []string{"X-Forwarded-For", "0.0.8.0"}},
			// What isn't known.
			{"/f/absent/", "stable", nil},
			{"/f/odd-variant/", "stable", nil},
		} {
			got := s.get(t, test.path, append(test.headers, "X-Serin-Variant", "beta4", "X-Serin-Flag", "forged",
				"X-Serin-Reason", "forged", "X-Serin-Reads", "forged")...)
			if got.status != http.StatusOK || got.Upstream != test.want {
				t.Errorf("%s %q: %d from %q, want %s", test.path, test.headers, got.status, got.Upstream, test.want)
			}
			for name, values := range got.Header {
				if strings.HasPrefix(name, "X-Serin-") &&
					(strings.Join(values, "") == "forged" || values[0] == "beta4" && test.want != "beta4") {
					t.Errorf("%s: a forged %s got through: %q", test.path, name, values)
				}
			}
			if got.cookie != "" {
				t.Errorf("%s: a cookie was set: %s", test.path, got.cookie)
			}
		}
		r, err := http.NewRequest(http.MethodGet, s.url+"/f/by-ip/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.do(t, from("127.0.0.2"), r); got.Upstream != "beta1" {
			t.Errorf("127.0.0.2 goes to %s", got.Upstream)
		}
	})
	t.Run("bodies", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodPost, s.url+"/order", strings.NewReader("one book"))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.do(t, s.client, r, "X-Uid", "30"); got.Upstream != "beta3" || got.Method != http.MethodPost ||
			got.Body != "one book" || got.Path != "/order" {
			t.Errorf("the upstream got %+v", got)
		}
	})
	t.Run("failures of upstreams", func(t *testing.T) {
		if got := s.get(t, "/fail", "X-Uid", "30"); got.status != http.StatusTeapot || got.Upstream != "beta3" {
			t.Errorf("%d from %s", got.status, got.Upstream)
		}
	})
	t.Run("seats", func(t *testing.T) { testSeats(t, s, "/f/by-seat/") })
	t.Run("mirror", func(t *testing.T) {
		// Not mirrored, since writes would happen twice.
		post, err := http.NewRequest("POST", s.url+"/shadowed/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.do(t, s.client, post, "X-Uid", "30"); got.Upstream != "beta3" {
			t.Errorf("a POST goes to %s", got.Upstream)
		}
		var ids []string
		for range 10 {
			got := s.get(t, "/shadowed/", "X-Uid", "30", "X-Request-Id", "forged")
			if got.Upstream != "beta3" {
				t.Errorf("a mirrored request goes to %s", got.Upstream)
			}
			ids = append(ids, got.Header.Get("X-Request-Id"))
		}
		for deadline := time.Now().Add(20 * time.Second); s.shadowed.Load() != 10; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of 10 requests were mirrored", s.shadowed.Load())
			}
		}
		for _, id := range ids {
			if method, ok := s.shadowIDs.Load(id); !ok || method != "GET" || id == "forged" {
				t.Errorf("the copy of request %q is %v", id, method)
			}
		}
	})
	t.Run("rate limit", func(t *testing.T) {
		count := make(map[int]int)
		for range 20 {
			count[s.get(t, "/limited/").status]++
		}
		if count[http.StatusOK] < 4 || count[http.StatusTooManyRequests] < 5 || len(count) != 2 {
			t.Errorf("statuses: %v", count)
		}
	})
	s.without(t, func(t *testing.T) { testWithoutDecision(t, s) })
	if got := s.get(t, "/", "X-Uid", "30"); got.Upstream != "beta3" {
		t.Errorf("after a restart of the decision server: %s", got.Upstream)
	}
}

// testWithoutDecision holds that requests go to stable, with what they have.
func testWithoutDecision(t *testing.T, s *site) {
	var slowest time.Duration
	for range 20 {
		began := time.Now()
		got := s.get(t, "/", "X-Uid", "30", "X-Serin-Variant", "beta3")
		slowest = max(slowest, time.Since(began))
		if got.status != http.StatusOK || got.Upstream != "stable" || got.Header.Get("X-Serin-Variant") != "" {
			t.Errorf("%d from %q, %v", got.status, got.Upstream, got.Header["X-Serin-Variant"])
		}
	}
	t.Logf("the slowest of 20 requests took %v", slowest)
	r, err := http.NewRequest(http.MethodPost, s.url+"/order", strings.NewReader("one book"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, s.client, r); got.status != http.StatusOK || got.Method != http.MethodPost ||
		got.Body != "one book" {
		t.Errorf("a POST: %d, the upstream got %s %q", got.status, got.Method, got.Body)
	}
	if got := s.get(t, "/fail"); got.status != http.StatusTeapot || got.Upstream != "stable" {
		t.Errorf("a failure of the upstream: %d from %s", got.status, got.Upstream)
	}
}

// testSeats holds that visitors get a cookie once, that the same seat always goes to the
// same upstream, and that seats are split in half.
func testSeats(t *testing.T, s *site, path string) {
	first := s.get(t, path)
	cookie, attributes, _ := strings.Cut(first.cookie, ";")
	if !strings.HasPrefix(cookie, "seat=") ||
		attributes != " Path=/; Max-Age=15552000; HttpOnly; Secure; SameSite=Lax" {
		t.Fatalf("the cookie is %q", first.cookie)
	}
	var mu sync.Mutex
	count := make(map[string]int)
	const seats, same = 10_000, 1000
	work := make(chan string)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for seat := range work {
				got := s.get(t, path, "Cookie", seat)
				if got.status != http.StatusOK || got.cookie != "" || seat == cookie && got.Upstream != first.Upstream {
					t.Errorf("%s: %d from %s, cookie %q", seat, got.status, got.Upstream, got.cookie)
				}
				if seat != cookie {
					mu.Lock()
					count[got.Upstream]++
					mu.Unlock()
				}
			}
		})
	}
	for range same {
		work <- cookie
	}
	digits := strings.NewReplacer("0", "A", "1", "B", "8", "I", "9", "J")
	for i := range seats {
		work <- "seat=" + digits.Replace(fmt.Sprintf("%026d", i))
	}
	close(work)
	workers.Wait()
	if off := count["stable"] - seats/2; off < -seats/100 || off > seats/100 ||
		count["stable"]+count["beta1"] != seats {
		t.Errorf("of %d seats: %v", seats, count)
	}
}
