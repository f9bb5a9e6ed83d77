package enrich

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
)

func read(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAgents(t *testing.T) {
	var agents []map[string]string
	read(t, "agents.json", &agents)
	for _, want := range agents {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", want["agent"])
		q := new(Trust).Read(r)
		for _, field := range from.Fields {
			a := Attribute{Type: evaluator.AttrString, Sources: []from.Source{{Kind: from.UserAgent, Name: field}}}
			if got, _ := q.Value(&a).Text(); got != want[field] {
				t.Errorf("%s\n%s is %q, want %q", want["agent"], field, got, want[field])
			}
		}
	}
}

// TestReadsAgents holds that the parser is only prepared for programs that need it.
func TestReadsAgents(t *testing.T) {
	program := func(sources ...string) *evaluator.Program {
		set := evaluator.Ruleset{Unit: "user",
			Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}
		for i, text := range sources {
			name := string(rune('a' + i))
			set.Attributes = append(set.Attributes,
				evaluator.Attribute{Name: name, Type: evaluator.AttrString, From: text})
		}
		p, err := evaluator.Compile(set)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const header, agent, later = `[{"header":"User-Agent"}]`, `[{"user_agent":"os"}]`, `[{"moon":"phase"}]`
	for _, test := range []struct {
		name    string
		program *evaluator.Program
		want    bool
	}{
		{"no program", nil, false},
		{"no sources", program(), false},
		{"the header itself", program(header), false},
		{"of a later version", program(later), false},
		{"a field", program(header, later, agent), true},
		{"a field after a parameter", program(`[{"query":"os"},{"user_agent":"os"}]`), true},
	} {
		if got := readsAgents(test.program); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestClientIP(t *testing.T) {
	var tests []struct {
		Name, Trust, Peer, IP string
		Forwarded             []string
		More                  map[string]string
	}
	read(t, "clients.json", &tests)
	ip := Attribute{Type: evaluator.AttrIP, Sources: []from.Source{{Kind: from.ClientIP}}}
	for _, test := range tests {
		trust, err := ParseTrust(test.Trust)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.Peer
		r.Header["X-Forwarded-For"] = test.Forwarded
		for name, value := range test.More {
			r.Header.Set(name, value)
		}
		q := trust.Read(r)
		if got, _ := q.Value(&ip).Text(); got != test.IP {
			t.Errorf("%s: the client is %q, want %q", test.Name, got, test.IP)
		}
	}
}

func TestTrustRefuses(t *testing.T) {
	for _, list := range []string{"10.0.0.0/33", "example.com", "10.0.0", "fe80::1%eth0", "unix:/tmp/x", "*"} {
		if _, err := ParseTrust(list); err == nil || !strings.Contains(err.Error(), list) {
			t.Errorf("%s: error %v", list, err)
		}
	}
}

// TestSources takes attributes from a request that has every source, from a gateway and
// from somebody else.
func TestSources(t *testing.T) {
	trust, err := ParseTrust("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	request := func(peer string) *http.Request {
		r := httptest.NewRequest("GET", "/route/x?city=direct", nil)
		r.RemoteAddr = peer + ":1"
		for name, values := range map[string][]string{
			"X-Uid": {"30"}, "Location": {"shenzhen"}, "X-Twice": {"a", "b"}, "X-Empty": {""}, "X-Plus": {"+5"},
			"X-Hex":   {"0x1e"},
			"X-Large": {"9223372036854775808"}, "X-Bool": {"true"}, "X-Time": {"2026-12-01T09:00:00Z"},
			"X-Latin":         {"\xe9"},
			"X-Forwarded-Uri": {"/shop/a%20b?city=beijing&twice=1&twice=2&bad=%zz"},
			"Cookie":          {"theme=dark; twice=1; twice=2"},
		} {
			r.Header[name] = values
		}
		return r
	}
	text := func(sources ...from.Source) Attribute { return Attribute{Type: evaluator.AttrString, Sources: sources} }
	number := func(sources ...from.Source) Attribute {
		return Attribute{Type: evaluator.AttrInteger, Sources: sources}
	}
	header := func(name string, trusted bool) from.Source {
		return from.Source{Kind: from.Header, Name: name, Trusted: trusted}
	}
	parameter := func(name string) from.Source { return from.Source{Kind: from.Query, Name: name} }
	none := evaluator.Value{}
	for _, test := range []struct {
		name              string
		attribute         Attribute
		gateway, somebody evaluator.Value
	}{
		{"header", text(header("Location", false)), evaluator.StringValue("shenzhen"), evaluator.StringValue("shenzhen")},
		{"trusted header", number(header("X-Uid", true)), evaluator.IntValue(30), none},
		{"header twice", text(header("X-Twice", false)), none, none},
		{"empty header", text(header("X-Empty", false)), none, none},
		{"Latin-1", text(header("X-Latin", false)), none, none},
		{"plus", number(header("X-Plus", false)), none, none},
		{"hexadecimal", number(header("X-Hex", false)), none, none},
		{"beyond 64 bits", number(header("X-Large", false)), none, none},
		{"boolean", Attribute{Type: evaluator.AttrBoolean, Sources: []from.Source{header("X-Bool", false)}}, evaluator.BoolValue(true), evaluator.BoolValue(true)},
		{"a time", Attribute{Type: evaluator.AttrTime, Sources: []from.Source{header("X-Time", false)}}, evaluator.StringValue("2026-12-01T09:00:00Z"), evaluator.StringValue("2026-12-01T09:00:00Z")},
		{"Unix time", Attribute{Type: evaluator.AttrTime, Sources: []from.Source{header("X-Uid", false)}}, evaluator.IntValue(30), evaluator.IntValue(30)},
		{"not a boolean", Attribute{Type: evaluator.AttrBoolean, Sources: []from.Source{header("X-Uid", false)}}, none, none},
		{"query", text(parameter("city")), evaluator.StringValue("beijing"), evaluator.StringValue("direct")},
		{"parameter twice", text(parameter("twice")), none, none},
		{"malformed parameter", text(parameter("bad")), none, none},
		{"path", text(from.Source{Kind: from.Path}), evaluator.StringValue("/shop/a b"), none},
		{"cookie", text(from.Source{Kind: from.Cookie, Name: "theme"}), evaluator.StringValue("dark"), evaluator.StringValue("dark")},
		{"cookie twice", text(from.Source{Kind: from.Cookie, Name: "twice"}), none, none},
		{"the first one", text(parameter("absent"), header("X-Uid", true), header("Location", false)), evaluator.StringValue("30"), evaluator.StringValue("shenzhen")},
		{"no source", text(), none, none},
	} {
		for peer, want := range map[string]evaluator.Value{"10.0.0.1": test.gateway, "10.0.0.2": test.somebody} {
			q := trust.Read(request(peer))
			if got := q.Value(&test.attribute); got != want {
				t.Errorf("%s, from %s: %v, want %v", test.name, peer, got, want)
			}
			if q.Issued() != nil {
				t.Errorf("%s: a cookie was issued", test.name)
			}
		}
	}
	// A second X-Forwarded-Uri means that the gateway has let the client's pass.
	r := request("10.0.0.1")
	r.Header.Add("X-Forwarded-Uri", "/admin")
	q, path := trust.Read(r), text(from.Source{Kind: from.Path})
	if got := q.Value(&path); got != none {
		t.Errorf("with two X-Forwarded-Uri the path is %v", got)
	}
}

func TestIssuedCookies(t *testing.T) {
	seat := Attribute{Type: evaluator.AttrString,
		Sources: []from.Source{{Kind: from.Cookie, Name: "seat", Issue: time.Hour}}}
	ask := func(cookies string) (string, *http.Cookie) {
		r := httptest.NewRequest("GET", "/", nil)
		if cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
		q := new(Trust).Read(r)
		id, _ := q.Value(&seat).Text()
		if again, _ := q.Value(&seat).Text(); again != id {
			t.Errorf("one request has the IDs %s and %s", id, again)
		}
		return id, q.Issued()
	}
	seen := make(map[string]bool)
	for _, cookies := range []string{"", "seat=", "seat=short", "seat=" + strings.Repeat("a", 26),
		"seat=" + strings.Repeat("A", 27),
		"seat=" + strings.Repeat("A", 26) + "; seat=" + strings.Repeat("B", 26), "other=" + strings.Repeat("A", 26)} {
		id, cookie := ask(cookies)
		const attributes = "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"
		if cookie == nil || cookie.String() != "seat="+id+attributes || !isID(id) || seen[id] {
			t.Errorf("%q: ID %q, cookie %v", cookies, id, cookie)
			continue
		}
		seen[id] = true
		if kept, cookie := ask("seat=" + id); kept != id || cookie != nil {
			t.Errorf("ID %q became %q, cookie %v", id, kept, cookie)
		}
	}
}

// TestDirect takes attributes from requests that browsers and apps send for themselves.
func TestDirect(t *testing.T) {
	trust, err := ParseTrust("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("A", 26)
	r := httptest.NewRequest("POST", "/ofrep/v1/evaluate/flags?city=direct", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header["X-Forwarded-Uri"] = []string{"/shop?city=beijing"}
	r.Header["X-Uid"] = []string{"30"}
	r.Header["Cookie"] = []string{"seat=" + id + "; short=AAA"}
	claim := func(name string) string { return map[string]string{"sub": "u-1", "plan": "plus"}[name] }
	for _, test := range []struct {
		source          from.Source
		claims, without string
	}{
		{from.Source{Kind: from.Claim, Name: "sub"}, "u-1", ""},
		{from.Source{Kind: from.Claim, Name: "absent"}, "", ""},
		{from.Source{Kind: from.Path}, "", ""},
		{from.Source{Kind: from.Query, Name: "city"}, "direct", "direct"},
		{from.Source{Kind: from.Header, Name: "X-Uid", Trusted: true}, "30", "30"},
		{from.Source{Kind: from.Cookie, Name: "seat", Issue: time.Hour}, id, id},
		{from.Source{Kind: from.Cookie, Name: "short", Issue: time.Hour}, "", ""},
		{from.Source{Kind: from.Cookie, Name: "absent", Issue: time.Hour}, "", ""},
	} {
		a := Attribute{Type: evaluator.AttrString, Sources: []from.Source{test.source}}
		with, without := trust.Direct(r, claim), trust.Direct(r, nil)
		for q, want := range map[*Request]string{&with: test.claims, &without: test.without} {
			if got, _ := q.Value(&a).Text(); got != want || q.Issued() != nil {
				t.Errorf("%+v: %q, want %q; issued %v", test.source, got, want, q.Issued())
			}
		}
		gateway := trust.Read(r)
		if got, _ := gateway.Value(&a).Text(); test.source.Kind == from.Claim && got != "" {
			t.Errorf("%+v: a gateway's request has %q", test.source, got)
		}
	}
}

func FuzzAgent(f *testing.F) {
	var agents []map[string]string
	data, err := os.ReadFile("testdata/agents.json")
	if err == nil {
		err = json.Unmarshal(data, &agents)
	}
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range agents {
		f.Add(a["agent"])
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := readAgent(text)
		switch a.platform {
		case "", "app", "web", "pc":
		default:
			t.Errorf("platform is %q", a.platform)
		}
		for _, version := range []string{a.browserVersion, a.osVersion} {
			if strings.Trim(version, "0123456789.") != "" || strings.Count(version, ".") > 2 {
				t.Errorf("version is %q", version)
			}
		}
	})
}

// FuzzClientIP holds that nobody but trusted gateways can choose an address: what somebody
// adds on the left changes nothing.
func FuzzClientIP(f *testing.F) {
	f.Add("192.0.2.1", "198.51.100.9")
	f.Add("10.1.1.1, ", "2001:db8::7")
	f.Fuzz(func(t *testing.T, forged, client string) {
		trust, err := ParseTrust("10.0.0.0/8")
		if err != nil {
			t.Fatal(err)
		}
		ip := address(client)
		if !ip.IsValid() || trust.has(ip) {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{forged + "," + client}
		if got := trust.ClientIP(r); got != ip {
			t.Errorf("with %q in front of %q the client is %v", forged, client, got)
		}
	})
}
