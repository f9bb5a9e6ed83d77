package batch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Text writes versions and their batches for people.
func (r Release) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, v := range r.Versions {
		fmt.Fprintf(out, "%s\n", v.Version)
		for i, hosts := range v.Batches {
			fmt.Fprintf(out, "  %d: ", i+1)
			for k, host := range hosts {
				if k > 0 {
					_, _ = out.WriteString(", ") // Flush returns the error
				}
				_, _ = out.WriteString(host)
			}
			_, _ = out.WriteString("\n")
		}
	}
	return out.Flush()
}

// A Batch is one of all batches of a release.
type Batch struct {
	Name    string // batch_1, batch_2 and so on, through all versions
	Version string
	Hosts   []string
}

// All returns the batches of all versions, in the order of the release.
func (r Release) All() []Batch {
	var all []Batch
	for _, v := range r.Versions {
		for _, hosts := range v.Batches {
			all = append(all, Batch{fmt.Sprintf("batch_%d", len(all)+1), v.Version, hosts})
		}
	}
	return all
}

// Inventory writes an inventory for Ansible in YAML, with one group for each batch, in
// order. The variable release_version of a group is its version. It fails if two versions
// have a host in common, because Ansible would then give all of that host's groups the
// version of one, and if Ansible would take a host for another one or for a group.
func (r Release) Inventory(w io.Writer) error {
	seen := make(map[string]string)
	all := r.All()
	for _, b := range all {
		for _, host := range b.Hosts {
			if err := checkAnsible(host); err != nil {
				return err
			}
			// Ansible takes what follows a single colon for a port, and not for a part of the name.
			name := host
			if strings.Count(host, ":") == 1 {
				name, _, _ = strings.Cut(host, ":")
			}
			if other, ok := seen[name]; ok {
				return fmt.Errorf("an inventory can have host %q only once, and it is in %s and %s: "+
					"write an inventory for each version", name, other, b.Name)
			}
			seen[name] = b.Name
		}
	}
	out := bufio.NewWriter(w)
	_, _ = out.WriteString("all:\n  children:\n")
	for _, b := range all {
		fmt.Fprintf(out, "    %s:\n      vars:\n        release_version: %s\n      hosts:\n", b.Name, quote(b.Version))
		for _, host := range b.Hosts {
			_, _ = out.WriteString("        " + quote(host) + ":\n")
		}
	}
	return out.Flush()
}

// checkAnsible reports a host that means something else to Ansible.
func checkAnsible(host string) error {
	if host == "all" || host == "ungrouped" || strings.HasPrefix(host, "batch_") {
		return fmt.Errorf("host %q has the name of a group of the inventory", host)
	}
	return nil
}

// quote returns text in single quotes, as YAML has it. There are no control characters in
// it. Ansible takes two braces for a template.
func quote(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if strings.ContainsAny(text, "{}") {
		return "!unsafe '" + text + "'"
	}
	return "'" + text + "'"
}

// A List is a file with a list of hosts, for the rule of a flag.
type List struct {
	Name string // batch_1.txt and so on
	Data []byte
}

// Lists returns a file for each batch.
func (r Release) Lists() ([]List, error) {
	var lists []List
	for _, b := range r.All() {
		var text strings.Builder
		fmt.Fprintf(&text, "# %s of version %s\n", b.Name, b.Version)
		for _, host := range b.Hosts {
			text.WriteString(host)
			text.WriteByte('\n')
		}
		lists = append(lists, List{b.Name + ".txt", []byte(text.String())})
	}
	if len(lists) > maxLists {
		return nil, errors.New("more than 10,000 batches are too many for lists: use larger batches")
	}
	return lists, nil
}

const maxLists = 10_000
