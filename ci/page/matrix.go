package page

import (
	"cmp"
)

// A matrix shows flags by environments.
type matrix struct {
	Environments []string
	Rows         []matrixRow
	Pages        []pageLink
}

type matrixRow struct {
	Key   string
	Cells []cell
	Mixed bool // not all cells are the same
}

// A cell is a flag in an environment. Differs says that it isn't as in the first one.
type cell struct {
	In      string
	Serves  string
	Missing bool
	Differs bool
}

func (v *view) matrix(page int) (matrix, bool) {
	m := matrix{Environments: v.environments(), Pages: pageLinks("matrix", len(v.flags), page)}
	shown, ok := pageOf(v.flags, page)
	for _, f := range shown {
		r := matrixRow{Key: f.Key}
		first := f.in(m.Environments[0])
		for _, env := range m.Environments {
			is := f.in(env)
			c := cell{In: cmp.Or(env, "all"), Missing: is == nil, Differs: is != first &&
				(is == nil || first == nil || !sameFlag(is.flag, first.flag))}
			if is != nil {
				c.Serves = servesWords(is.flag, v.now.Unix())
			}
			r.Mixed = r.Mixed || c.Differs
			r.Cells = append(r.Cells, c)
		}
		m.Rows = append(m.Rows, r)
	}
	return m, ok
}
