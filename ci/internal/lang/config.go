package lang

import (
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// A config is what serin.yaml says.
type config struct {
	Environments []string
	Unit         string
	unitAt       *source.Node // nil if the default counts
	Zone         *time.Location
	Public       bool           // anybody may read the payloads,
	PublicNames  []*source.Node // or those of these namespaces
}

// defaultUnit is the unit attribute of estates that name none.
const defaultUnit = "user"

// maxEnvironments bounds the environments, each of which is compiled.
const maxEnvironments = 100

// config reads serin.yaml.
func (c Checker) config(n *source.Node) config {
	out := config{Unit: defaultUnit, Zone: time.UTC}
	if !c.Keys(n, "serin.yaml", "environments", "unit", "time_zone", "public", "lint") {
		return out
	}
	if list := n.Get("environments"); list != nil {
		out.Environments = c.environments(list)
	}
	if unit := n.Get("unit"); unit != nil {
		if name, ok := c.Name(unit, "\"unit\""); ok {
			out.Unit, out.unitAt = name, unit
		}
	}
	if zone := n.Get("time_zone"); zone != nil {
		if z, ok := c.Zone(zone, "\"time_zone\""); ok {
			out.Zone = z.Location
		}
	}
	if public := n.Get("public"); public != nil {
		out.Public, out.PublicNames = c.public(public)
	}
	c.Silences(n.Get("lint"))
	return out
}

// public reads of which namespaces anybody may read the payloads: of all, or of
// those listed.
func (c Checker) public(n *source.Node) (all bool, names []*source.Node) {
	if n.Kind != source.Sequence {
		if n.Kind != source.Scalar || n.Type() != source.BoolScalar {
			c.Errorf(n, "\"public\" is true, or a list of namespaces, not %s", n.Describe())
			return false, nil
		}
		return n.IsTrue(), nil
	}
	if !c.List(n, "\"public\"") {
		return false, nil
	}
	seen := make(map[string]bool, len(n.Items))
	for _, item := range n.Items {
		name, ok := c.Name(item, "a namespace")
		switch {
		case !ok:
		case seen[name]:
			c.Errorf(item, "namespace %q is listed twice", name)
		default:
			seen[name] = true
			names = append(names, item)
		}
	}
	return false, names
}

// IsPublic reports whether anybody may read the payloads of a namespace.
func (c *config) IsPublic(namespace string) bool {
	return c.Public || slices.ContainsFunc(c.PublicNames, func(n *source.Node) bool { return n.Text == namespace })
}

// checkPublic records the namespaces that serin.yaml calls public and that hold
// no flags. c reads serin.yaml.
func (e *Estate) checkPublic(c Checker) {
	for _, n := range e.Known.PublicNames {
		if !slices.Contains(e.Namespaces, n.Text) {
			c.Errorf(n, "there is no namespace %q%s", n.Text, suggest.DidYouMean(n.Text, slices.Values(e.Namespaces)))
		}
	}
}

func (c Checker) environments(n *source.Node) []string {
	if !c.List(n, "\"environments\"") {
		return nil
	}
	if len(n.Items) > maxEnvironments {
		c.Errorf(n, "there are more than %d environments", maxEnvironments)
		return nil
	}
	var list []string
	for _, item := range n.Items {
		name, ok := c.Name(item, "an environment")
		if !ok {
			continue
		}
		if why := phrase.CheckKey(name); why != "" || name[0] == '.' {
			if why == "" {
				why = "it starts with a dot"
			}
			c.Errorf(item, "environment %q is not a valid name: %s", name, why)
		} else if slices.Contains(list, name) {
			c.Errorf(item, "environment %q is listed twice", name)
		} else {
			list = append(list, name)
		}
	}
	return list
}
