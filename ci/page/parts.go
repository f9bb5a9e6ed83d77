package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/display"
)

// changes compares two revisions.
func (h *Handler) changes(r *http.Request, v *view) changesView {
	w := changesView{Old: r.FormValue("old"), New: r.FormValue("new")}
	if h.options.Compare == nil || w.Old == "" && w.New == "" && h.options.Old == "" && !h.options.Numbers {
		return w
	}
	if number := h.options.Numbers && isNumber(w.New); w.Old == "" && !number {
		w.Old = h.options.Old
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	done, err := h.alone(ctx)
	if err != nil {
		w.Error = "Others are comparing revisions. Try again."
		return w
	}
	defer done()
	report, err := h.options.Compare(ctx, w.Old, w.New)
	if err != nil {
		w.Error = whyNot(err, v)
		return w
	}
	old, new := w.Old, w.New
	w = v.changes(report, h.options.Live)
	w.Old, w.New = old, new
	return w
}

// isNumber reports whether a revision is a number, and so a published one.
func isNumber(revision string) bool {
	_, err := strconv.ParseInt(revision, 10, 64)
	return err == nil
}

// patience is how long revisions may be read and compared for one request. A server's deadline
// for an answer should be later.
const patience = 45 * time.Second

// whyNot says why revisions can't be compared. Other errors than those of revisions may quote what
// a viewer may not see.
func whyNot(err error, v *view) string {
	revision := (*release.RevisionError)(nil)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("Comparing these revisions takes longer than %v, so it was given up.", patience)
	case errors.As(err, &revision):
		words := display.Line(revision.Error())
		return strings.ToUpper(words[:1]) + words[1:] + "."
	case !v.all:
		return "The revisions can’t be compared. For those who see all flags, the page says why."
	}
	return display.Line(err.Error())
}

// alone waits until no other request reads and compares revisions, which takes all of the machine
// or many requests to a store. done ends that. The error is that of ctx.
func (h *Handler) alone(ctx context.Context) (done func(), err error) {
	select {
	case h.busy <- struct{}{}:
		return func() { <-h.busy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// history answers with the history of everything, or of a flag.
func (h *Handler) history(r *http.Request, v *view) (body any, name, title string) {
	w, asked := historyView{}, release.FlagName{}
	title = "History"
	f := v.byKey[r.FormValue("flag")]
	if f != nil && v.sees(f.Key) {
		asked, title = release.FlagName{Namespace: f.Namespace, Key: f.Key}, "History of "+f.Key
	} else {
		f = nil
	}
	if h.options.History != nil {
		done, err := h.alone(r.Context())
		if err != nil {
			return w, "history", title
		}
		defer done()
		switch history, err := h.options.History(r.Context(), asked); {
		case err != nil:
			w.Error = display.Line(err.Error())
		default:
			w = v.history(history, f)
		}
	}
	return w, "history", title
}

// propose says what edits would do, and writes them if it is asked to.
func (h *Handler) propose(r *http.Request, v *view) proposeView {
	w := proposeView{Edits: r.FormValue("edit"), Form: h.options.Propose != nil, Forms: h.forms}
	edits, err := editsOf(w.Edits)
	if err != nil {
		w.Error = err.Error()
		return w
	}
	if len(edits) == 0 {
		return w
	}
	w.Command = command(edits, h.options.Folder)
	w.handOver(h.options.Repository, edits, nil)
	if h.options.Propose == nil || r.Method != http.MethodPost {
		return w
	}
	write := r.PostFormValue("write") != ""
	if write && !mayWrite(r) {
		w.Error = "Nothing was written: the request comes from another machine or another page, or this page was opened by another name than localhost or an IP address."
		return w
	}
	p, err := h.options.Propose(r.Context(), edits, write)
	if err != nil {
		w.Error = visible(err.Error())
		return w
	}
	w.Patch, w.Notes, w.Wrote, w.Nothing = visible(p.Patch), p.Notes, p.Wrote, p.Patch == "" && len(p.Wrote) == 0
	w.Spelled = w.Patch != p.Patch
	w.handOver(h.options.Repository, edits, p.New)
	w.Changes = v.changes(p.Report, h.options.Live)
	return w
}
