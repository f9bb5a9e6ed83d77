package evaluator

// A Result is the answer of an evaluation and why it was given. It is small,
// immutable, and keeps its [Module] alive. The zero Result has
// [ReasonError] and no value.
type Result struct {
	// No more than four fields, which is what the compiler keeps in
	// registers.
	flag    *CompiledFlag // nil: error
	serve   *serve
	variant uint16
	missing uint16 // 1 + index of the attribute that a split missed; 0: none
}

// Value returns the value served; the zero Value if Reason is [ReasonError].
func (r Result) Value() Value {
	if r.flag == nil {
		return Value{}
	}
	return r.flag.variants[r.variant].Value
}

// Variant returns the name of the variant served.
func (r Result) Variant() string {
	if r.flag == nil {
		return ""
	}
	return r.flag.variants[r.variant].Name
}

// Rule returns the name of the rule that served, or "" if none did.
func (r Result) Rule() string {
	if r.flag == nil {
		return ""
	}
	return r.flag.module.names[r.serve.rule]
}

// Reason returns why the variant was served.
func (r Result) Reason() Reason {
	if r.flag == nil {
		return ReasonError
	}
	return r.serve.reason
}

// Metadata returns the flag's metadata and that of the rule that served, by name
// in ascending order. The caller must not change it.
func (r Result) Metadata() []Attr {
	if r.flag == nil {
		return nil
	}
	return r.flag.module.metadata[r.serve.metadata]
}

// MissingUnit returns the name of the attribute that the context lacked, or had
// in a form that can't be bucketed, so that a rule with a split did not match,
// or that the flag's reservation did not hold; "" if that was not so. If it was
// so for several it is the last.
func (r Result) MissingUnit() string {
	if r.flag == nil || r.missing == 0 {
		return ""
	}
	return r.flag.module.attributes[r.missing-1].Name
}
