package lambda

import (
	"net/http"
	"slices"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
)

// share lets web pages read the response: those of all origins or, if there is a Gate, of
// the origins of its clients. It returns false if the request comes from another page.
// Whether the client of the request is for pages of its origin, admit finds out: a preflight
// doesn't say which client there will be.
func (h *Handler) share(w http.ResponseWriter, r *http.Request) bool {
	header := w.Header()
	header["Access-Control-Expose-Headers"] = exposed
	if h.access == nil {
		header["Access-Control-Allow-Origin"] = anyOrigin
		return true
	}
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !h.access.Allows(origin) {
		return origin == ""
	}
	header.Set("Access-Control-Allow-Origin", origin)
	return true
}

// admit returns who sent a request, or the failure to respond with. The caller is nil if
// everyone may ask.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) (*access.Caller, *failure) {
	if h.access == nil {
		return nil, nil
	}
	caller, refused := h.access.Admit(r)
	if refused == nil {
		return caller, nil
	}
	if refused.Challenge != "" {
		w.Header().Set("WWW-Authenticate", refused.Challenge)
	}
	return nil, &failure{status: refused.Status, details: refused.Details, retryAfter: refused.RetryAfter}
}

// taken are the attributes that a revision takes from requests.
type taken struct {
	snapshot   *sdk.Snapshot
	attributes []enrich.Attribute
}

// takenFrom returns those of a snapshot.
func (h *Handler) takenFrom(snapshot *sdk.Snapshot) []enrich.Attribute {
	t := h.taken.Load()
	if t == nil || t.snapshot != snapshot {
		t = &taken{snapshot: snapshot}
		for declared := range snapshot.Program().Attributes() {
			if declared.From == "" {
				continue
			}
			// What a later version of Serin takes from elsewhere has no sources here: it is
			// absent, and can't be sent either.
			a, _ := enrich.Parse(declared)
			t.attributes = append(t.attributes, a)
		}
		h.taken.Store(t) // at worst another request does the same
	}
	return t.attributes
}

// fill sets the attributes of ctx that the flag folder takes from requests. What the caller
// has sent in their place is dropped.
func (h *Handler) fill(ctx *evaluator.Context, snapshot *sdk.Snapshot, r *http.Request, caller *access.Caller) {
	attributes := h.takenFrom(snapshot)
	ctx.Attrs = slices.DeleteFunc(ctx.Attrs, func(sent evaluator.Attr) bool {
		return slices.ContainsFunc(attributes, func(a enrich.Attribute) bool { return a.Name == sent.Name })
	})
	request := h.trust.Direct(r, caller.Claim)
	for i := range attributes {
		a := &attributes[i]
		value := request.Value(a)
		if a.Name == snapshot.Program().Unit() {
			ctx.Key, _ = value.Text()
		} else if value.Kind() != evaluator.KindNone {
			ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: a.Name, Value: value})
		}
	}
}
