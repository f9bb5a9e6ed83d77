package route

import (
	"slices"
	"strings"
	"sync"

	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
)

const (
	// maxPlans limits the plans that are kept for a revision. Gateways ask for few lists of
	// flags; somebody who asks for many has them planned each time.
	maxPlans = 256
	// maxFlags limits the flags of a request.
	maxFlags = 16
)

// plans are those of one revision.
type plans struct {
	snapshot *sdk.Snapshot
	mu       sync.RWMutex
	known    map[string]*plan // by the flags in the path
}

// A plan is how requests for a list of flags are answered in one revision.
type plan struct {
	flags      []flag
	attributes []attribute // that the flags read
	reads      []string    // X-Serin-Reads
	chance     bool        // answers hold for one request
}

type flag struct {
	key    string
	header []string // X-Serin-Flag
}

type attribute struct {
	enrich.Attribute
	unit bool // its value is the targeting key
}

// plan returns the plan for flags, or nil if one of them doesn't exist.
func (rt *Router) plan(snapshot *sdk.Snapshot, flags string) *plan {
	known := rt.plans.Load()
	if known == nil || known.snapshot != snapshot {
		known = &plans{snapshot: snapshot, known: make(map[string]*plan)}
		rt.plans.Store(known) // at worst another request does the same
	}
	known.mu.RLock()
	p, ok := known.known[flags]
	known.mu.RUnlock()
	if ok {
		return p
	}
	if p = newPlan(snapshot, flags); p == nil {
		return nil
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if len(known.known) < maxPlans {
		known.known[strings.Clone(flags)] = p
	}
	return p
}

func newPlan(snapshot *sdk.Snapshot, flags string) *plan {
	program := snapshot.Program()
	p := new(plan)
	reads := make(map[string]bool)
	for key := range strings.SplitSeq(flags, ",") {
		compiled := program.Flag(key)
		if compiled == nil || len(p.flags) == maxFlags || !isHeader(key) {
			return nil
		}
		p.flags = append(p.flags, flag{key: compiled.Key(), header: []string{compiled.Key()}})
		p.chance = p.chance || compiled.UsesChance()
		for _, name := range compiled.Reads() {
			reads[name] = true
		}
	}
	var names []string
	for declared := range program.Attributes() {
		if !reads[declared.Name] {
			continue
		}
		a, err := enrich.Parse(declared)
		if err != nil {
			return nil // of a later version of Serin
		}
		p.attributes = append(p.attributes, attribute{a, a.Name == program.Unit()})
		names = append(names, a.Name)
	}
	slices.Sort(names)
	p.reads = []string{strings.Join(names, ",")}
	return p
}
