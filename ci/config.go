package ci

import (
	"slices"
	"time"

	"github.com/serin-flags/serin/internal/suggest"
)

// A config is what serin.yaml says.
type config struct {
	environments []string
	unit         string
	unitAt       *node // nil if the default counts
	zone         *time.Location
	public       bool    // anybody may read the payloads,
	publicNames  []*node // or those of these namespaces
}

// defaultUnit is the unit attribute of estates that name none.
const defaultUnit = "user"

// maxEnvironments bounds the environments, each of which is compiled.
const maxEnvironments = 100

// config reads serin.yaml.
func (c checker) config(n *node) config {
	out := config{unit: defaultUnit, zone: time.UTC}
	if !c.keys(n, "serin.yaml", "environments", "unit", "time_zone", "public", "lint") {
		return out
	}
	if list := n.get("environments"); list != nil {
		out.environments = c.environments(list)
	}
	if unit := n.get("unit"); unit != nil {
		if name, ok := c.name(unit, "\"unit\""); ok {
			out.unit, out.unitAt = name, unit
		}
	}
	if zone := n.get("time_zone"); zone != nil {
		if z, ok := c.zone(zone, "\"time_zone\""); ok {
			out.zone = z.location
		}
	}
	if public := n.get("public"); public != nil {
		out.public, out.publicNames = c.public(public)
	}
	c.silences(n.get("lint"))
	return out
}

// public reads of which namespaces anybody may read the payloads: of all, or of
// those listed.
func (c checker) public(n *node) (all bool, names []*node) {
	if n.kind != sequence {
		if n.kind != scalar || n.scalarType() != boolScalar {
			c.errorf(n, "\"public\" is true, or a list of namespaces, not %s", n.describe())
			return false, nil
		}
		return n.isTrue(), nil
	}
	if !c.list(n, "\"public\"") {
		return false, nil
	}
	seen := make(map[string]bool, len(n.items))
	for _, item := range n.items {
		name, ok := c.name(item, "a namespace")
		switch {
		case !ok:
		case seen[name]:
			c.errorf(item, "namespace %q is listed twice", name)
		default:
			seen[name] = true
			names = append(names, item)
		}
	}
	return false, names
}

// checkPublic records the namespaces that serin.yaml calls public and that hold
// no flags. c reads serin.yaml.
func (e *estate) checkPublic(c reader) {
	for _, n := range e.known.publicNames {
		if !slices.Contains(e.namespaces, n.text) {
			c.errorf(n, "there is no namespace %q%s", n.text, suggest.DidYouMean(n.text, slices.Values(e.namespaces)))
		}
	}
}

func (c checker) environments(n *node) []string {
	if !c.list(n, "\"environments\"") {
		return nil
	}
	if len(n.items) > maxEnvironments {
		c.errorf(n, "there are more than %d environments", maxEnvironments)
		return nil
	}
	var list []string
	for _, item := range n.items {
		name, ok := c.name(item, "an environment")
		if !ok {
			continue
		}
		if why := checkKey(name); why != "" || name[0] == '.' {
			if why == "" {
				why = "it starts with a dot"
			}
			c.errorf(item, "environment %q is not a valid name: %s", name, why)
		} else if slices.Contains(list, name) {
			c.errorf(item, "environment %q is listed twice", name)
		} else {
			list = append(list, name)
		}
	}
	return list
}
