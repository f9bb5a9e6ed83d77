package edit

import (
	"fmt"
	"strings"

	"github.com/serin-flags/serin/internal/suggest"
)

// A verb is what an edit does.
type verb struct {
	form string // with the names of its words
	// env says that "in ENVIRONMENT" may follow.
	env bool
	do  func(*editing, []string) error
}

// verbs are by their first word; "remove" and "new" have two.
var verbs = map[string]verb{
	"enable":  {"enable FLAG", true, (*editing).enable},
	"disable": {"disable FLAG", true, (*editing).disable},
	"serve":   {"serve FLAG VARIANT", true, (*editing).serve},
	"share":   {"share FLAG RULE VARIANT=SHARE…", true, (*editing).share},
	"step":    {"step FLAG RULE SHARE KEY=VALUE…", true, (*editing).step},
	"add":     {"add ID to segments/NAME", false, (*editing).add},
	"remove":  {"remove ID from segments/NAME", false, (*editing).removeMember},
	"expire":  {"expire FLAG DATE", false, (*editing).expire},
	"new":     {"new NAMESPACE/FLAG", false, (*editing).newBoolean},
}

// newTyped is "new" with more words.
var newTyped = verb{"new NAMESPACE/FLAG TYPE VARIANT=VALUE…", false, (*editing).newTyped}

var removeRule = verb{"remove rule FLAG RULE", true, (*editing).removeRule}

// Forms returns how each edit is written, for help texts.
func Forms() []string {
	var list []string
	for _, name := range []string{"enable", "disable", "serve", "share", "step", "add", "remove"} {
		list = append(list, verbs[name].form)
	}
	return append(list, removeRule.form, verbs["expire"].form, verbs["new"].form, newTyped.form)
}

// An Edit is one change to the files of a flag folder, such as "disable new-cart".
type Edit struct {
	verb        verb
	words       []string // without the environment
	environment string   // "" for none
	// Reason, if not "", is why a flag is disabled, on one line. It becomes a comment
	// above "enabled", which enabling removes again.
	Reason string
}

// Disable returns the edit that disables a flag, in one environment or, if that is "",
// in all. The reason may be "".
func Disable(key, environment, reason string) Edit {
	return Edit{verbs["disable"], []string{"disable", key}, environment, reason}
}

// Enable returns the edit that enables a flag: in one environment or, if that is "",
// wherever nothing else is said.
func Enable(key, environment string) Edit {
	return Edit{verbs["enable"], []string{"enable", key}, environment, ""}
}

// String returns the edit as it is written.
func (e Edit) String() string {
	list := make([]string, len(e.words))
	for i, w := range e.words {
		list[i] = quoted(w)
	}
	if e.environment != "" {
		list = append(list, "in", quoted(e.environment))
	}
	return strings.Join(list, " ")
}

// Parse reads an edit: a verb and its words, and "in ENVIRONMENT" if it is about one.
// Words with spaces, such as the names of rules, stand in quotes.
func Parse(text string) (Edit, error) {
	list, err := words(text)
	if err != nil {
		return Edit{}, fmt.Errorf("reading %q: %w", text, err)
	}
	if len(list) == 0 {
		return Edit{}, fmt.Errorf("the edit is empty; the edits are:\n%s", strings.Join(Forms(), "\n"))
	}
	v, ok := verbs[list[0]]
	if !ok {
		hint := suggest.DidYouMean(list[0], func(yield func(string) bool) {
			for _, name := range []string{"enable", "disable", "serve", "share", "step", "add", "remove", "expire", "new"} {
				if !yield(name) {
					return
				}
			}
		})
		return Edit{}, fmt.Errorf("unknown edit %q%s; the edits are:\n%s", list[0], hint, strings.Join(Forms(), "\n"))
	}
	if member := len(list) == 4 && list[2] == "from"; list[0] == "remove" && len(list) > 1 && list[1] == "rule" &&
		!member {
		v = removeRule
	}
	if list[0] == "new" && len(list) > 2 {
		v = newTyped
	}
	e := Edit{verb: v, words: list}
	if n := len(list); n > 3 && list[n-2] == "in" {
		e.words, e.environment = list[:n-2], list[n-1]
	}
	return e, e.check()
}

// check compares the words with the verb's form.
func (e *Edit) check() error {
	form := strings.Fields(e.verb.form)
	fits := len(e.words) == len(form) || strings.HasSuffix(e.verb.form, "…") && len(e.words) > len(form)
	for i, w := range form {
		if fits && strings.ToLower(w) == w && !strings.Contains(w, "/") && e.words[i] != w {
			fits = false
		}
	}
	env := ""
	if e.verb.env {
		env = " [in ENVIRONMENT]"
	}
	switch {
	case !fits:
		return fmt.Errorf("%q isn't complete or has too many words; write '%s%s', with quotes around a name with spaces", e, e.verb.form, env)
	case e.environment != "" && !e.verb.env:
		return fmt.Errorf("%q is the same in all environments; leave out \"in %s\"", e, e.environment)
	}
	return nil
}
