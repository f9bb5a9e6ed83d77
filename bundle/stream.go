package bundle

import (
	"iter"

	"github.com/serin-flags/serin/evaluator"
)

// compileRuleset does what decodeRuleset and then [evaluator.CompileModule] do,
// without the whole ruleset in memory: it decodes flags one by one, each into the
// memory of the one before.
func compileRuleset(l *label, b []byte, lists ...listContent) (module *evaluator.Module, decoding, compiling error) {
	d, err := newDecoder(l, b, lists)
	if err != nil {
		return nil, err, nil
	}
	set := d.head()
	d.forget()
	module, compiling = evaluator.CompileStream(set, evaluator.Stream{
		Flags:         d.each(d.served),
		Prerequisites: d.each(d.w.flagKey.rows - d.served),
		Count:         d.w.flagKey.rows,
		Rules:         d.w.ruleName.rows,
		Comparisons:   d.w.conditionAttribute.rows + d.w.reservationLayer.rows, // an instruction each
	})
	if err := d.end(); err != nil {
		return nil, err, nil
	}
	return module, nil, compiling
}

// each yields the next n flags. All are decoded, so that end knows what is left
// over, but after an error none is of use.
func (d *decoder) each(n int) iter.Seq[*evaluator.Flag] {
	return func(yield func(*evaluator.Flag) bool) {
		wanted := true
		for range n {
			d.reuse()
			d.scratch = evaluator.Flag{}
			d.flag(&d.scratch)
			wanted = wanted && d.err == nil && yield(&d.scratch)
		}
	}
}

// reuse has the next flag take the place of the one before.
func (d *decoder) reuse() {
	d.variants.reuse()
	d.reservations.reuse()
	d.rules.reuse()
	d.splits.reuse()
	d.ranges.reuse()
	d.ramps.reuse()
	d.metadata.reuse()
	d.conditions.reuse()
	d.operands.reuse()
}

// forget has the next flag leave what was decoded before as it is.
func (d *decoder) forget() {
	d.variants.forget()
	d.reservations.forget()
	d.rules.forget()
	d.splits.forget()
	d.ranges.forget()
	d.ramps.forget()
	d.metadata.forget()
	d.conditions.forget()
	d.operands.forget()
}

// reuse lets the elements be cut again.
func (s *slab[T]) reuse() {
	clear(s.list[:s.used])
	s.used = 0
}

// forget leaves the elements to those who have them.
func (s *slab[T]) forget() { s.list, s.used = nil, 0 }
