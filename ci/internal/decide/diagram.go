package decide

import (
	"encoding/binary"
	"slices"
)

// A node is a function of variables, each of which has finitely many cases. Within
// one diagram, equal functions are the same node. Below 0 it is a constant.
type node int32

// constant returns the function that is n, 0 or more, in all cases.
func constant(n int) node { return node(^n) }

const (
	never  = ^node(0) // constant(0)
	always = ^node(1) // constant(1)
)

func (n node) isConstant() bool { return n < 0 }

func (n node) value() int { return int(^n) }

// A diagram holds multi-valued decision diagrams, reduced and ordered, with
// unique nodes (Bryant 1986; Srinivasan et al. 1990).
type diagram struct {
	inner  []inner
	unique map[string]node
	forks  map[fork]node // unique, too: those of two cases, which most are
	memo   map[[3]node]node
	key    []byte
	room   *int // how many more steps may be taken
	full   bool
}

// An inner node chooses by the case of a variable. Variables of the nodes below it
// are larger.
type inner struct {
	variable int
	kids     []node // by case
}

// A fork is an inner node of two cases.
type fork struct {
	variable int
	no, yes  node
}

func newDiagram(room *int) *diagram {
	return &diagram{unique: make(map[string]node), forks: make(map[fork]node), memo: make(map[[3]node]node), room: room}
}

// spend takes some steps, if there is room for them.
func (d *diagram) spend(steps int) bool {
	*d.room -= steps
	d.full = d.full || *d.room < 0
	return !d.full
}

// choose returns the function that is kids[i] in case i of a variable. Once the
// diagram is full, which callers find out at the end, functions are wrong.
func (d *diagram) choose(variable int, kids []node) node {
	first := kids[0]
	if !slices.ContainsFunc(kids, func(k node) bool { return k != first }) {
		return first
	}
	if len(kids) == 2 {
		key := fork{variable, kids[0], kids[1]}
		n, ok := d.forks[key]
		if !ok {
			n = d.add(variable, kids)
			d.forks[key] = n
		}
		return n
	}
	d.key = binary.AppendUvarint(d.key[:0], uint64(variable))
	for _, k := range kids {
		d.key = binary.LittleEndian.AppendUint32(d.key, uint32(k))
	}
	n, ok := d.unique[string(d.key)]
	if !ok {
		n = d.add(variable, kids)
		d.unique[string(d.key)] = n
	}
	return n
}

// add adds an inner node.
func (d *diagram) add(variable int, kids []node) node {
	if !d.spend(len(kids)) {
		return never
	}
	d.inner = append(d.inner, inner{variable, slices.Clone(kids)})
	return node(len(d.inner) - 1)
}

// noVariable is larger than all variables.
const noVariable = int(^uint(0) >> 1)

func (d *diagram) variable(n node) int {
	if n.isConstant() {
		return noVariable
	}
	return d.inner[n].variable
}

// kid returns n in a case of a variable, which none of n's is smaller than.
func (d *diagram) kid(n node, variable, i int) node {
	if d.variable(n) != variable {
		return n
	}
	return d.inner[n].kids[i]
}

// top returns how many cases the smallest variable of some functions has, and
// which variable that is.
func (d *diagram) top(list ...node) (variable, cases int) {
	variable = noVariable
	for _, n := range list {
		if v := d.variable(n); v < variable {
			variable, cases = v, len(d.inner[n].kids)
		}
	}
	return variable, cases
}

// ifElse returns yes where c is 1, and no elsewhere.
func (d *diagram) ifElse(c, yes, no node) node {
	switch {
	case c == always || yes == no:
		return yes
	case c == never:
		return no
	case c == no && yes == always || d.full: // c or c, as the most frequent
		return c
	}
	key := [3]node{c, yes, no}
	if n, ok := d.memo[key]; ok {
		return n
	}
	variable, cases := d.top(c, yes, no)
	if !d.spend(cases) {
		return c
	}
	kids := make([]node, cases)
	for i := range kids {
		kids[i] = d.ifElse(d.kid(c, variable, i), d.kid(yes, variable, i), d.kid(no, variable, i))
	}
	n := d.choose(variable, kids)
	d.memo[key] = n
	return n
}

func (d *diagram) not(c node) node { return d.ifElse(c, never, always) }

func (d *diagram) and(a, b node) node { return d.ifElse(a, b, never) }

// convert returns n with other constants.
func (d *diagram) convert(n node, to func(int) int) node {
	return d.combine(n, never, func(n, _ node) (node, bool) {
		if !n.isConstant() {
			return n, false
		}
		return constant(to(n.value())), true
	})
}

// differ returns where two functions differ.
func (d *diagram) differ(a, b node) node {
	return d.combine(a, b, func(a, b node) (node, bool) {
		if a == b {
			return never, true
		}
		return always, a.isConstant() && b.isConstant()
	})
}

// combine returns the function that is f of two others. Of constants, f is known.
func (d *diagram) combine(a, b node, f func(a, b node) (of node, known bool)) node {
	memo := make(map[[2]node]node)
	var visit func(a, b node) node
	visit = func(a, b node) node {
		if n, known := f(a, b); known {
			return n
		}
		key := [2]node{a, b}
		if n, ok := memo[key]; ok {
			return n
		}
		variable, cases := d.top(a, b)
		if !d.spend(cases) {
			return never
		}
		kids := make([]node, cases)
		for i := range kids {
			kids[i] = visit(d.kid(a, variable, i), d.kid(b, variable, i))
		}
		n := d.choose(variable, kids)
		memo[key] = n
		return n
	}
	return visit(a, b)
}

// nodes returns a function and all below it, the constants included, each once.
func (d *diagram) nodes(n node) []node {
	list := []node{n}
	seen := map[node]bool{n: true}
	for i := 0; i < len(list); i++ {
		if list[i].isConstant() {
			continue
		}
		for _, k := range d.inner[list[i]].kids {
			if !seen[k] {
				seen[k] = true
				list = append(list, k)
			}
		}
	}
	return list
}

// leaves adds the values of a function.
func (d *diagram) leaves(n node, list map[int]bool) {
	for _, n := range d.nodes(n) {
		if n.isConstant() {
			list[n.value()] = true
		}
	}
}
