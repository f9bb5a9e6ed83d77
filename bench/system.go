package bench

import "slices"

// A System is a feature flag library.
type System interface {
	// Name is the heading of its column.
	Name() string
	// Publish writes an estate into the folder dir, in the form in which the
	// system gets it in service.
	Publish(dir string, e *Estate) error
	// Load returns a client that has all flags of what Publish has written.
	Load(p Place) (Client, error)
}

// A Place is where an estate is published: in a folder, and by HTTP.
type Place struct {
	Dir string
	URL string // of Dir; no slash at the end
}

// A Client answers one question at a time, from nothing prepared: for checks.
// Timed loops don't use it.
type Client interface {
	// Bool returns the answer of a flag without rules.
	Bool(flag string, u *User) bool
	// Text returns the answer of a flag with rules.
	Text(flag string, u *User) string
	// All returns the answers of all flags, which all have rules, by the way
	// of asking that is timed. Keys are theirs.
	All(keys []string, u *User) map[string]string
	Close() error
}

// Systems returns all systems, in the order of the columns.
func Systems() []System {
	return []System{
		serin{}, serin{byName: true}, launchDarkly{}, launchDarklySDK{}, growthBook{}, statsig{}, postHog{},
	}
}

// Loadable returns the systems that load something different from each other.
func Loadable() []System {
	return slices.DeleteFunc(Systems(), func(s System) bool { return s == (serin{byName: true}) })
}

// NoSystem is what stands for a system in a measurement of the process alone.
const NoSystem = "none"
