package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// mergeSettings adds to settings of VS Code, which are JSON with comments, the members
// of ours that they don't have. Of a member that is an object in both, it adds what is
// missing below it. Everything else stays as it is, with its comments.
func mergeSettings(settings, ours []byte) ([]byte, error) {
	if len(bytes.TrimSpace(settings)) == 0 {
		return ours, nil
	}
	to, err := hujson.Parse(settings)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "hujson: "))
	}
	from, err := hujson.Parse(ours)
	if err != nil {
		return nil, err
	}
	if err := mergeMembers(&to, &from, ""); err != nil {
		return nil, err
	}
	return to.Pack(), nil
}

// mergeMembers adds the members of an object that another one doesn't have. It is an error
// if that isn't an object; name is what it is called.
func mergeMembers(to, from *hujson.Value, name string) error {
	object, ok := to.Value.(*hujson.Object)
	if !ok {
		if name == "" {
			return errors.New("it doesn't contain an object")
		}
		return fmt.Errorf("%q isn't an object", name)
	}
	ours := from.Value.(*hujson.Object) // of a file that is part of the program
	for _, member := range ours.Members {
		name := member.Name.Value.(hujson.Literal).String()
		there := to.Find("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
		if there == nil {
			appendMember(object, member)
			continue
		}
		if _, ok := member.Value.Value.(*hujson.Object); !ok {
			continue // what is there is meant
		}
		if err := mergeMembers(there, &member.Value, name); err != nil {
			return err
		}
	}
	return nil
}

// appendMember adds a member to an object, on a line of its own. A comment at the end of
// the line above stays there, and so does a comma before the brace.
func appendMember(object *hujson.Object, member hujson.ObjectMember) {
	comment := bytes.TrimRight(object.AfterExtra, " \t\r\n")
	below := object.AfterExtra[len(comment):]
	if !bytes.Contains(below, []byte("\n")) {
		below = hujson.Extra("\n")
	}
	indent := bytes.TrimLeft(member.Name.BeforeExtra, "\n")
	if n := len(object.Members); n > 0 {
		first := object.Members[0].Name.BeforeExtra
		if at := bytes.LastIndexByte(first, '\n'); at >= 0 {
			indent = first[at+1:]
		}
		if object.Members[n-1].Value.AfterExtra != nil { // a comma follows
			member.Value.AfterExtra = hujson.Extra{}
		}
	}
	member.Name.BeforeExtra = slices.Concat(comment, hujson.Extra("\n"), indent)
	object.Members, object.AfterExtra = append(object.Members, member), below
}
