//go:build unix

package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/needs"
)

// kept is how long decisions are kept here: what decide-cached.conf says is replaced.
const kept = time.Second

// A published is a folder of flags, published for a decision server.
type published struct{ dir string }

// newPublished publishes the flags in testdata.
func newPublished(t *testing.T) *published {
	t.Helper()
	p := &published{t.TempDir()}
	if err := os.CopyFS(filepath.Join(p.dir, "flags"), os.DirFS("testdata/flags")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "flags", "serin.yaml"), []byte("environments: [production]\n"),
		0o666); err != nil {
		t.Fatal(err)
	}
	p.publish(t)
	return p
}

// publish publishes the flags, and at first makes keys.
func (p *published) publish(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"keys", "init", "keys", "--env", "production"},
		{"publish", "flags", "--to", "file://" + p.dir + "/store", "--env", "production", "--keys", "keys"},
	} {
		if _, err := os.Stat(filepath.Join(p.dir, "keys")); err == nil && args[0] == "keys" {
			continue
		}
		cmd := exec.Command(command(t), args...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("serin %q: %v\n%s", args, err, out)
		}
	}
}

// startCachedNginx starts nginx with the variant that keeps decisions, and a decision server
// of published flags.
func startCachedNginx(t *testing.T) (*site, *published) {
	t.Helper()
	binary := needs.Command(t, "nginx")
	s := newSite(t)
	s.stop()
	p := newPublished(t)
	s.startDeciderOf(t, p.source()...)
	s.configure(t, "nginx/serin.conf", "map \"\" $serin_user {\n    default \"\";",
		"map $http_x_login $serin_user {\n    default $http_x_login;")
	s.configure(t, "nginx/cache.conf", "/run/serin/cache", filepath.Join(s.dir, "cache"))
	s.configure(t, "nginx/decide-cached.conf", "200 5s;", "200 1s;")
	s.configure(t, "nginx/route.conf", "auth_request_set $serin_flag ",
		"auth_request_set $serin_kept $upstream_cache_status;\nadd_header X-Kept $serin_kept always;\nauth_request_set $serin_flag ")
	s.runNginx(t, binary, []string{"serin.conf", "cache.conf"}, "include decide.conf", "include decide-cached.conf")
	return s, p
}

func (p *published) source() []string {
	return []string{"--from", "file://" + p.dir + "/store/production", "--root", p.dir + "/keys/root.json",
		"--interval", "50ms"}
}

// decision returns what the decision server itself says, to somebody with these attributes.
func (s *site) decision(t *testing.T, flags, user, uid, city, seat string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.socket)
		}}}
	r, err := http.NewRequest(http.MethodGet, "http://serin/route/"+flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"X-User": user, "X-Uid": uid,
		"X-Forwarded-Uri": "/?city=" + url.QueryEscape(city), "Cookie": "seat=" + seat} {
		r.Header.Set(name, value)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("X-Serin-Variant") == "" {
		return "stable"
	}
	return response.Header.Get("X-Serin-Variant")
}

// TestNginxKeepsDecisions holds that decisions are kept, and that nobody gets that of
// another: not with values that look like another's, nor with values that are sent twice.
func TestNginxKeepsDecisions(t *testing.T) {
	s, p := startCachedNginx(t)
	t.Run("kept", func(t *testing.T) {
		get := func() (kept string) {
			got := s.get(t, "/", "X-Uid", "30")
			if got.Upstream != "beta3" {
				t.Errorf("30 goes to %s", got.Upstream)
			}
			return got.kept
		}
		for deadline := time.Now().Add(20 * time.Second); get() != "HIT"; {
			if time.Now().After(deadline) {
				t.Fatal("decisions aren't kept")
			}
		}
	})
	t.Run("nobody gets another's", func(t *testing.T) { testOwnDecisions(t, s) })
	t.Run("seats", func(t *testing.T) {
		seats := make(map[string]bool)
		for range 20 {
			first := s.get(t, "/f/by-seat/")
			cookie, _, _ := strings.Cut(first.cookie, ";")
			if !strings.HasPrefix(cookie, "seat=") || seats[cookie] || first.kept == "HIT" {
				t.Fatalf("the cookie is %q, %s", first.cookie, first.kept)
			}
			seats[cookie] = true
			for range 3 {
				if again := s.get(t, "/f/by-seat/", "Cookie", cookie); again.Upstream != first.Upstream ||
					again.cookie != "" {
					t.Errorf("%s goes to %s, then to %s with %q", cookie, first.Upstream, again.Upstream, again.cookie)
				}
			}
		}
	})
	t.Run("failures aren't kept", func(t *testing.T) {
		for range 3 {
			if got := s.get(t, "/f/absent/"); got.Upstream != "stable" || got.kept == "HIT" {
				t.Errorf("%s, %s", got.Upstream, got.kept)
			}
		}
	})
	t.Run("new revision", func(t *testing.T) { testNewRevision(t, s, p) })
	s.stop()
	t.Run("down", func(t *testing.T) {
		for uid, want := range map[string]string{"30": "beta4", "987650": "stable"} { // one that was kept, and one that wasn't
			if got := s.get(t, "/f/by-tail/", "X-Uid", uid); got.status != http.StatusOK || got.Upstream != want {
				t.Errorf("%s: %d from %q, want %s", uid, got.status, got.Upstream, want)
			}
		}
	})
}

// testOwnDecisions asks as many users, at the same time and again and again.
func testOwnDecisions(t *testing.T, s *site) {
	type user struct{ flags, login, uid, city, seat, want string }
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	digits := strings.NewReplacer("0", "A", "1", "B", "8", "I", "9", "J")
	users := make([]user, 300)
	for i := range users {
		u := user{
			flags: pick("by-user,by-tail", "by-tail", "by-city", "by-city,by-tail", "by-seat"),
			login: pick("", "alice", "carol", "alice\t30", "30", `alice\n30`),
			uid:   pick("", "30", "33", "7", "30,33", "30\t", "alice", "0x1e", `30\n`, fmt.Sprint(random.IntN(1000))),
			city:  pick("", "beijing", "shanghai", "beijing\n30", "30", "lhasa"),
			seat:  digits.Replace(fmt.Sprintf("%026d", random.IntN(50))),
		}
		u.want = s.decision(t, u.flags, strings.TrimSpace(u.login), strings.TrimSpace(u.uid), u.city, u.seat)
		users[i] = u
	}
	var clients sync.WaitGroup
	var hits, asked [8]int
	for worker := range 8 {
		clients.Go(func() {
			for i := range 1000 {
				u := users[(i*7+worker*13)%len(users)]
				got := s.get(t, "/f/"+u.flags+"/?city="+url.QueryEscape(u.city), "X-Login", u.login, "X-Uid", u.uid,
					"Cookie", "seat="+u.seat,
					"X-User", "alice", "X-Forwarded-Uri", "/?city=beijing")
				if got.Upstream != u.want {
					t.Errorf("%+v goes to %s (%s)", u, got.Upstream, got.kept)
				}
				asked[worker]++
				if got.kept == "HIT" {
					hits[worker]++
				}
			}
		})
	}
	clients.Wait()
	n, all := 0, 0
	for i := range hits {
		n, all = n+hits[i], all+asked[i]
	}
	t.Logf("%d of %d decisions were kept ones", n, all)
	if n == 0 {
		t.Error("no decision was a kept one")
	}
	// Two who would have the same key if their values were put together with something between.
	for _, between := range []string{"", "|", ",", ":", "/", `\n`, "-"} {
		for range 3 {
			first := s.get(t, "/f/by-tail/?city=lhasa", "X-Login", "x", "X-Uid", "30", "Cookie", "seat="+between+"S")
			second := s.get(t, "/f/by-tail/", "X-Login", "x"+between+"30", "X-Uid", "lhasa", "Cookie", "seat=S")
			if first.Upstream != "beta3" || second.Upstream != "stable" {
				t.Errorf("with %q between values: %s and %s", between, first.Upstream, second.Upstream)
			}
		}
	}
	// nginx goes by the first of two values, or by both as one; the decision server must get
	// the same, or what it says would be kept for those who send only one.
	for range 3 {
		s.get(t, "/f/by-tail/", "X-Uid", "50", "X-Uid", "53")
		if got := s.get(t, "/f/by-tail/", "X-Uid", "50"); got.Upstream != "beta3" {
			t.Errorf("after somebody has sent two, 50 goes to %s (%s)", got.Upstream, got.kept)
		}
		s.get(t, "/f/by-city/?city=shanghai&city=beijing")
		if got := s.get(t, "/f/by-city/?city=shanghai"); got.Upstream != "beta2" {
			t.Errorf("after somebody has sent two, shanghai goes to %s (%s)", got.Upstream, got.kept)
		}
	}
}

// testNewRevision holds that a new revision is in use once decisions are no longer kept.
func testNewRevision(t *testing.T, s *site, p *published) {
	const changed = "type: string\ndefault: stable\nrules:\n  - {name: tail 0, when: {uid: {mod: 10, in: [0]}}, serve: beta4}\n"
	if err := os.WriteFile(filepath.Join(p.dir, "flags", "routing", "by-tail.yaml"), []byte(changed),
		0o666); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "/f/by-tail/", "X-Uid", "30"); got.Upstream != "beta3" {
		t.Errorf("before, 30 goes to %s", got.Upstream)
	}
	p.publish(t)
	for deadline := time.Now().Add(20 * time.Second); s.decision(t, "by-tail", "", "30", "",
		"") != "beta4"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the decision server doesn't have the new revision")
		}
	}
	time.Sleep(kept + time.Second) // nginx's clock has whole seconds
	if got := s.get(t, "/f/by-tail/", "X-Uid", "30"); got.Upstream != "beta4" {
		t.Errorf("afterwards, 30 goes to %s", got.Upstream)
	}
}
