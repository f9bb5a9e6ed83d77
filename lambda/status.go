package lambda

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/sdk"
)

// condition is the response to GET /status. Everyone who may evaluate flags may see it,
// so it counts the client's errors but doesn't quote them.
type condition struct {
	Age         *int64           `json:"age,omitempty"` // in seconds; nil: unknown
	Checked     time.Time        `json:"checked,omitzero"`
	Draining    bool             `json:"draining,omitempty"` // the server is about to end
	Environment string           `json:"environment"`
	Errors      map[string]int64 `json:"errors"`
	Expires     time.Time        `json:"expires,omitzero"`
	Expired     bool             `json:"expired,omitempty"` // Expires has passed
	Failing     bool             `json:"failing"`           // the latest poll failed
	Held        int64            `json:"held,omitempty"`    // revision that is held back
	Refused     *access.Refused  `json:"refused,omitempty"` // requests, if there is a Gate
	Revision    int64            `json:"revision"`
	Unrouted    int64            `json:"unrouted,omitempty"` // answers to gateways that had no variant
	State       string           `json:"state"`
	Updated     time.Time        `json:"updated,omitzero"`
}

// status responds with the client's status. The status code suits health checks: 200 if
// there are flags, however old, and 503 if not.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		failure{status: http.StatusMethodNotAllowed, details: "the method must be GET"}.write(w)
		return
	}
	s := h.client.Status()
	c := condition{
		Checked:     s.Checked.UTC(),
		Draining:    h.draining.Load(),
		Environment: s.Environment,
		Errors:      make(map[string]int64, len(s.Errors)),
		Expires:     s.Expires.UTC(),
		Expired:     s.Expired,
		Failing:     s.LastError != nil,
		Revision:    s.Revision,
		Unrouted:    h.router.Failures(),
		State:       s.State.String(),
		Updated:     s.Updated.UTC(),
	}
	if s.Revision > 0 && s.Age >= 0 {
		seconds := int64(s.Age / time.Second)
		c.Age = &seconds
	}
	if h.access != nil {
		refused := h.access.Refused()
		c.Refused = &refused
	}
	if s.Held != nil {
		c.Held = s.Held.Revision
	}
	for class, n := range s.Errors {
		c.Errors[class.String()] = n
	}
	body, err := json.Marshal(c)
	if err != nil {
		failure{status: http.StatusInternalServerError, details: "internal error"}.write(w)
		return
	}
	code := http.StatusOK
	if s.State == sdk.Empty || c.Draining {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, code, body)
}
