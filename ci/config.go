package ci

import (
	"slices"
	"time"
)

// A config is what serin.yaml says.
type config struct {
	environments []string
	unit         string
	unitAt       *node // nil if the default counts
	zone         *time.Location
}

// defaultUnit is the unit attribute of estates that name none.
const defaultUnit = "user"

// maxEnvironments bounds the environments, each of which is compiled.
const maxEnvironments = 100

// config reads serin.yaml.
func (c checker) config(n *node) config {
	out := config{unit: defaultUnit, zone: time.UTC}
	if !c.keys(n, "serin.yaml", "environments", "unit", "time_zone") {
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
	return out
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
