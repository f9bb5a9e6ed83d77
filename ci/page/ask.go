package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
)

// A question is what why.json is asked. Context is as OFREP has it.
type question struct {
	Flag        string          `json:"flag"`
	Environment string          `json:"environment"`
	Context     json.RawMessage `json:"context"`
	At          int64           `json:"at"` // Unix seconds; 0: now
}

// why answers a question as JSON, for the script.
func (h *Handler) why(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "why.json is asked with POST", http.StatusMethodNotAllowed)
		return
	}
	data, err := io.ReadAll(r.Body)
	var q question
	if err == nil {
		err = json.Unmarshal(data, &q)
	}
	if err != nil {
		http.Error(w, "the question can't be read", http.StatusBadRequest)
		return
	}
	answer, err := v.answer(q)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	data, err = json.Marshal(answer)
	h.sendOr500(w, r, "application/json", data, err)
}

// answer answers a question. Errors quote nothing of the context.
func (v *view) answer(q question) (why, error) {
	f := v.byKey[q.Flag]
	if f == nil || !v.sees(q.Flag) {
		return why{}, errors.New("there is no such flag")
	}
	is := f.in(q.Environment)
	if is == nil {
		return why{}, fmt.Errorf("the flag isn't in the environment %q", clip(display.Line(q.Environment)))
	}
	program, err := v.program(q.Environment)
	if err != nil {
		return why{}, err
	}
	if len(q.Context) == 0 {
		q.Context = json.RawMessage("{}")
	}
	ctx, err := evaluator.DecodeContext(q.Context)
	if err != nil {
		return why{}, errors.New(`the context isn't a JSON object such as {"targetingKey": "u-1"}`)
	}
	if ctx.Now = q.At; q.At == 0 {
		ctx.Now = v.now.Unix()
	}
	trace := program.Flag(q.Flag).Explain(&ctx)
	return teller{v.speaker(), q.Environment}.why(is.flag, &trace), nil
}

// flagWithAnswer answers a question that came from the form of a flag's page, which needs
// no script.
func (h *Handler) flagWithAnswer(r *http.Request, v *view, f *flagView) *flagView {
	q := question{Flag: f.Key, Environment: r.PostFormValue("environment"),
		Context: json.RawMessage(r.PostFormValue("context"))}
	f.Contexts, f.Environment, f.Asked = r.PostFormValue("context"), q.Environment, true
	if answer, err := v.answer(q); err != nil {
		f.Wrong = err.Error()
	} else {
		f.Answer = &answer
	}
	return f
}
