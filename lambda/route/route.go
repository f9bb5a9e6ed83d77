// Package route tells gateways which upstream serves a request: nginx's auth_request, and
// the forward auth of Traefik and Caddy.
//
//	GET /route/{flag}[,{flag}…]
//
// The status is always 200. These headers are the answer:
//
//	X-Serin-Variant  the name of the variant; absent after any failure
//	X-Serin-Flag     the flag that has decided
//	X-Serin-Reason   why, as OpenFeature names it, such as TARGETING_MATCH
//	X-Serin-Reads    the attributes that the decision depends on, separated by commas
//	Set-Cookie       an ID for a visitor without one, if a flag reads it
//
// Of several flags the first decides in which a rule matches, even if that rule serves the
// default variant; if no rule of any flag matches, the last flag does. Attributes are taken
// from the request as context.yaml says ("from"); the gateway can't send others.
//
// Without X-Serin-Variant the gateway goes to its own default upstream. A request can't be
// kept from being served, so an answer is never an authorization.
package route

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/lambda/internal/limit"
	"github.com/serin-flags/serin/sdk"
)

// Prefix is what paths begin with.
const Prefix = "/route/"

// A Router answers gateways. It is safe for concurrent use.
type Router struct {
	client   *sdk.Client
	trust    *enrich.Trust
	plans    atomic.Pointer[plans]
	decided  atomic.Int64
	failures atomic.Int64
}

// New returns a Router for the flags that client serves.
func New(client *sdk.Client, trust *enrich.Trust) *Router {
	return &Router{client: client, trust: trust}
}

// Decided returns how many answers had a variant.
func (rt *Router) Decided() int64 { return rt.decided.Load() }

// Failures returns how many answers had no variant.
func (rt *Router) Failures() int64 { return rt.failures.Load() }

// Answer answers for flags, the keys in the path.
func (rt *Router) Answer(w http.ResponseWriter, r *http.Request, flags string) {
	if rt.decide(w, r, flags) {
		rt.decided.Add(1)
		w.WriteHeader(http.StatusOK)
	} else {
		rt.Fail(w)
	}
}

// Fail answers without a variant.
func (rt *Router) Fail(w http.ResponseWriter) {
	rt.failures.Add(1)
	w.WriteHeader(http.StatusOK)
}

// decide sets the headers of an answer, unless it fails.
func (rt *Router) decide(w http.ResponseWriter, r *http.Request, flags string) (ok bool) {
	snapshot := rt.client.Snapshot()
	if snapshot == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	p := rt.plan(snapshot, flags)
	if p == nil {
		return false
	}
	var room [8]evaluator.Attr
	ctx := evaluator.Context{Attrs: room[:0]}
	request := rt.trust.Read(r)
	for i := range p.attributes {
		a := &p.attributes[i]
		value := request.Value(&a.Attribute)
		if a.unit {
			ctx.Key, _ = value.Text()
		} else if value.Kind() != evaluator.KindNone {
			ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: a.Name, Value: value})
		}
	}
	if limit.Check(&ctx, snapshot.Program()) != nil {
		return false
	}
	var result evaluator.Result
	var decided *flag
	for i := range p.flags {
		decided = &p.flags[i]
		if result = snapshot.Evaluate(decided.key, ctx); result.Rule() != "" {
			break
		}
	}
	if !isHeader(result.Variant()) {
		return false
	}
	p.write(w.Header(), decided, result)
	cookie := request.Issued()
	if cookie != nil {
		http.SetCookie(w, cookie)
	}
	if p.chance || cookie != nil {
		w.Header()["Cache-Control"] = noStore
	}
	return true
}

var noStore = []string{"no-store"}

// write sets the headers of an answer. Most values are shared by all answers of a plan, so
// that they needn't be allocated; net/http only reads them.
func (p *plan) write(header http.Header, decided *flag, result evaluator.Result) {
	header["X-Serin-Variant"] = []string{result.Variant()}
	header["X-Serin-Flag"] = decided.header
	header["X-Serin-Reason"] = reasons[result.Reason()]
	header["X-Serin-Reads"] = p.reads
}

// reasons are the values of X-Serin-Reason.
var reasons = func() map[evaluator.Reason][]string {
	texts := make(map[evaluator.Reason][]string)
	for r := evaluator.ReasonStatic; r <= evaluator.ReasonStale; r++ {
		texts[r] = []string{r.String()}
	}
	return texts
}()

// isHeader reports whether text may be the value of a header.
func isHeader(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
