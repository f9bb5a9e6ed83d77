package evaluator

// A Result is the outcome of an evaluation. It is small and immutable, and keeps the
// [Module] of its flag in memory. The zero Result has [ReasonError] and no value.
type Result struct {
	// The compiler keeps structs of up to four fields in registers. Don't add one.
	flag    *CompiledFlag // nil: error
	serve   *serve
	variant uint16
	missing uint16 // 1 + index of the attribute that a split missed; 0: none
}

// Value returns the value served, or the zero Value if the reason is [ReasonError].
func (r Result) Value() Value {
	if r.flag == nil {
		return Value{}
	}
	return r.flag.variants[r.variant].Value
}

// Variant returns the name of the variant served, or "" if the reason is [ReasonError].
func (r Result) Variant() string {
	if r.flag == nil {
		return ""
	}
	return r.flag.variants[r.variant].Name
}

// Rule returns the name of the rule that matched, or "" if none did.
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

// Metadata returns the metadata of the flag and of the rule that matched, sorted by
// name. The caller must not modify it.
func (r Result) Metadata() []Attr {
	if r.flag == nil {
		return nil
	}
	return r.flag.module.metadata[r.serve.metadata]
}

// MissingUnit helps to debug splits. It returns the name of the unit attribute because
// of which a split, or the flag's reservation, didn't match: the context lacks it, or its
// value can't be bucketed. If there are several, it returns the last one, and if there
// are none, "".
func (r Result) MissingUnit() string {
	if r.flag == nil || r.missing == 0 {
		return ""
	}
	return r.flag.module.attributes[r.missing-1].Name
}

// The arms of a guarded ramp, as [Result.Arm] names them.
const (
	ArmNew  = "new"  // those who get the variant that grows
	ArmRest = "rest" // those whom the rule matches, and who get the default
)

// Arm returns [ArmNew] or [ArmRest] if a guarded ramp served, and "" otherwise: the rest of
// the ramp are only those whom its rule matches, and not everybody who gets the default. It
// doesn't allocate.
func (r Result) Arm() string {
	switch {
	case r.flag == nil || r.serve.kind&splitGuarded == 0:
		return ""
	case r.variant == r.flag.module.ramps[r.serve.from].variant:
		return ArmNew
	}
	return ArmRest
}
