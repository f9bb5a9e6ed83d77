package page

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/internal/display"
)

// A Handler answers requests for a page. It is safe for concurrent use.
type Handler struct {
	options Options
	streams chan struct{} // as many as are open
	busy    chan struct{} // holds a value while revisions are read and compared
	clock   func() time.Time
	forms   []string // of edits

	mu    sync.Mutex
	state state
}

// A state is what a Handler shows.
type state struct {
	model    *Model
	problems ci.Problems
	failed   string
	version  int
	changed  chan struct{} // closed once it is over
	closed   bool
}

// maxStreams is how many pages can be told of changes at once.
const maxStreams = 64

// NewHandler returns a Handler without a model, which answers 503 until Update.
func NewHandler(o Options) *Handler {
	return &Handler{options: o, streams: make(chan struct{}, maxStreams), busy: make(chan struct{}, 1),
		clock: time.Now, forms: edit.Forms(), state: state{changed: make(chan struct{})}}
}

// Update shows another model. If it is nil because the files have problems, the last one
// stays, and every page shows err.
func (h *Handler) Update(m *Model, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.state
	if m != nil {
		next.model = m
	}
	next.problems, next.failed = nil, ""
	if err != nil && !errors.As(err, &next.problems) {
		next.failed = display.Line(err.Error())
	}
	next.version++
	next.changed = make(chan struct{})
	close(h.state.changed)
	h.state = next
}

// Close ends the streams that tell pages of changes.
func (h *Handler) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.state.closed {
		h.state.closed = true
		close(h.state.changed)
		h.state.changed = make(chan struct{})
	}
}

func (h *Handler) now() state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// Has reports whether a path is one of the page's.
func Has(path string) bool {
	switch path {
	case "/", "/page.css", "/page.js", "/page.svg", "/index.json", "/why.json", "/live":
		return true
	}
	return strings.HasSuffix(path, ".html") && (strings.Count(path, "/") == 1 || strings.HasPrefix(path, "/flag/"))
}

// policy is the Content-Security-Policy: nothing is from elsewhere, and nothing inline.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// maxBody is how long the body of a request may be.
const maxBody = 64 << 10

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	// With "no-referrer", browsers wouldn't say from which page a form is.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		header.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "the method isn't one of the page's", http.StatusMethodNotAllowed)
		return
	}
	if r.Method == http.MethodPost && !sameOrigin(r) {
		http.Error(w, "the request is from another page", http.StatusForbidden)
		return
	}
	var sees Sees
	if h.options.Admit != nil {
		var ok bool
		if sees, ok = h.options.Admit(w, r); !ok {
			return
		}
	}
	s := h.now()
	if s.model == nil {
		http.Error(w, "no flags yet", http.StatusServiceUnavailable)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.answer(w, r, &s, newView(s.model, sees, h.clock()))
}

// sameOrigin reports whether a request that does something comes from a page of this server:
// browsers say from which origin it is. Programs that aren't browsers say nothing.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") == "" || r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host && r.Host != ""
}

// mayWrite reports whether a request may change files: it comes from this machine, it says
// from which page it is, and the name of the server isn't one that somebody's DNS could lead
// here.
func mayWrite(r *http.Request) bool {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return r.Header.Get("Origin") != "" && sameOrigin(r) && (host == "localhost" || err == nil)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, s *state, v *view) {
	switch path := strings.TrimPrefix(r.URL.Path, "/"); path {
	case "page.css":
		send(w, r, "text/css; charset=utf-8", style)
	case "page.js":
		send(w, r, "text/javascript; charset=utf-8", script)
	case "page.svg":
		send(w, r, "image/svg+xml", icon)
	case "index.json":
		data, err := json.Marshal(v.index)
		h.sendOr500(w, r, "application/json", data, err)
	case "why.json":
		h.why(w, r, v)
	case "live":
		h.live(w, r, s)
	default:
		h.html(w, r, s, v, path)
	}
}

// html answers with a page.
func (h *Handler) html(w http.ResponseWriter, r *http.Request, s *state, v *view, path string) {
	c := h.chrome(s, v)
	name, title, status := "missing", "There is no such page", http.StatusNotFound
	if body, n, t := h.body(r, v, path); body != nil {
		c.Body, name, title, status = body, n, t, http.StatusOK
	}
	c.Title, c.Part, c.Root = title, name, strings.Repeat("../", strings.Count(path, "/"))
	data, err := c.render(name)
	if err == nil && status != http.StatusOK {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(data) // the browser has gone, then
		return
	}
	h.sendOr500(w, r, "text/html; charset=utf-8", data, err)
}

func (h *Handler) chrome(s *state, v *view) chrome {
	return chrome{
		Options: h.options, Problems: s.problems, Failed: s.failed, Version: s.version, Revision: v.source.Revision,
		Now:  v.now,
		Envs: v.environments(), Estate: v.source.Estate != nil,
	}
}

// body returns what is on the page of a path, with the template and the title, or nil.
func (h *Handler) body(r *http.Request, v *view, path string) (body any, name, title string) {
	if body, name, title = v.page(path); body != nil && name != "index" && name != "flag" {
		return body, name, title
	}
	switch {
	case name == "index":
		if q := r.FormValue("q"); q != "" {
			l, _ := v.list(clip(q), 1)
			return l, name, "Flags with “" + display.Line(clip(q)) + "”"
		}
	case path == "changes.html":
		return h.changes(r, v), "changes", "Who changes"
	case path == "history.html":
		return h.history(r, v)
	case path == "propose.html":
		return h.propose(r, v), "propose", "Propose an edit"
	case name == "flag":
		f := body.(*flagView)
		if h.options.Live {
			f.Picks = append(v.testPicks(f.Key), f.Picks...)
		}
		if r.Method == http.MethodPost {
			f = h.flagWithAnswer(r, v, f)
		}
		return f, name, title
	}
	return body, name, title
}

// page returns the page of a path that depends on nothing but the view, or nil.
func (v *view) page(path string) (body any, name, title string) {
	name, number, ok := split(path)
	if !ok {
		return nil, "", ""
	}
	switch name {
	case "index":
		if l, ok := v.list("", number); ok {
			return l, "index", "Flags"
		}
	case "matrix":
		if m, ok := v.matrix(number); ok {
			return m, "matrix", "Flags by environments"
		}
	case "attention":
		return v.attention(), "attention", "Needs attention"
	case "usage":
		return v.usages(), "usage", "Usage"
	}
	if key, isFlag := strings.CutPrefix(name, "flag/"); isFlag {
		if f := v.flagView(key); f != nil {
			return f, "flag", f.Key
		}
	}
	return nil, "", ""
}

// split returns the name and the number of a page: index and 2 for index-2.html.
func split(path string) (name string, number int, ok bool) {
	if path == "" {
		return "index", 1, true
	}
	if name, ok = strings.CutSuffix(path, ".html"); !ok {
		return "", 0, false
	}
	for _, list := range []string{"index", "matrix"} {
		if n, isList := strings.CutPrefix(name, list+"-"); isList {
			number, err := strconv.Atoi(n)
			return list, number, err == nil && number > 1
		}
	}
	return name, 1, true
}

// send answers with a document, compressed if the browser reads that.
func send(w http.ResponseWriter, r *http.Request, kind string, data []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Vary", "Accept-Encoding")
	if len(data) < 1<<10 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_, _ = w.Write(data) // the browser has gone, then
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that there is
	_, _ = z.Write(data)
	_ = z.Close()
}

func (h *Handler) sendOr500(w http.ResponseWriter, r *http.Request, kind string, data []byte, err error) {
	if err != nil {
		slog.Error("page: rendering", "path", r.URL.Path, "error", err.Error())
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	send(w, r, kind, data)
}
