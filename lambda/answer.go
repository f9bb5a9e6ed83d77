package lambda

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// OpenFeature's error codes.
const (
	parseError     = "PARSE_ERROR"
	invalidContext = "INVALID_CONTEXT"
	flagNotFound   = "FLAG_NOT_FOUND"
)

// An Answer is the result of one evaluation. OFREP represents it as a JSON object:
//
//	{"key": "new-checkout", "metadata": {"environment": "production", "flagSetId": "production", "owner": "checkout",
//	 "revision": 12, "rule": "staff", "version": "12"}, "reason": "TARGETING_MATCH", "value": true, "variant": "on"}
//
// The metadata contains that of the flag and of the rule that served, and environment,
// revision and rule. If the context lacked the unit of a split or of a layer,
// missingUnit names the attribute. Metadata of flags can't replace these four names. If a
// guarded ramp served, arm is "new" or "rest"; otherwise, it may be the flag's own.
// flagSetId and version are the environment and the revision for OpenFeature's telemetry,
// unless the flag has metadata with these names. A Result with ReasonError becomes OFREP's
// error object with the code FLAG_NOT_FOUND.
type Answer struct {
	Key         string
	Result      evaluator.Result
	Environment string // "": omitted
	Revision    int64  // 0: omitted
}

// AppendJSON appends the answer to b. There are no line breaks, except within the value
// of an object flag. Members are sorted, so equal answers have equal bytes.
func (a Answer) AppendJSON(b []byte) []byte {
	if a.Result.Reason() == evaluator.ReasonError {
		return failure{code: flagNotFound, details: "there is no flag of this key", key: &a.Key}.appendJSON(b)
	}
	b = append(b, `{"key":`...)
	b = appendString(b, a.Key)
	b = append(b, `,"metadata":`...)
	b = a.appendMetadata(b)
	b = append(b, `,"reason":`...)
	b = appendString(b, a.Result.Reason().String())
	b = append(b, `,"value":`...)
	b = a.Result.Value().AppendJSON(b)
	b = append(b, `,"variant":`...)
	b = appendString(b, a.Result.Variant())
	return append(b, '}')
}

// appendMetadata appends the metadata of the flag and of the rule that served, and that
// of every answer. Most of the latter's names are reserved, even if they have no value.
func (a Answer) appendMetadata(b []byte) []byte {
	const arm, flagSetID, version = "arm", "flagSetId", "version"
	own := [...]evaluator.Attr{ // by name
		{Name: arm, Value: textOrNothing(a.Result.Arm())},
		{Name: "environment", Value: textOrNothing(a.Environment)},
		{Name: flagSetID, Value: textOrNothing(a.Environment)},
		{Name: "missingUnit", Value: textOrNothing(a.Result.MissingUnit())},
		{Name: "revision"},
		{Name: "rule", Value: textOrNothing(a.Result.Rule())},
		{Name: version},
	}
	if a.Revision != 0 {
		own[4].Value = evaluator.IntValue(a.Revision)
		own[6].Value = evaluator.StringValue(strconv.FormatInt(a.Revision, 10))
	}
	b = append(b, '{')
	rest := own[:]
	for _, m := range a.Result.Metadata() {
		for len(rest) > 0 && rest[0].Name < m.Name {
			b = appendMember(b, rest[0])
			rest = rest[1:]
		}
		switch {
		case len(rest) == 0 || rest[0].Name != m.Name:
			b = appendMember(b, m)
		case m.Name == flagSetID, m.Name == version, m.Name == arm && rest[0].Value.Kind() == evaluator.KindNone:
			b = appendMember(b, m)
			rest = rest[1:]
		}
	}
	for _, m := range rest {
		b = appendMember(b, m)
	}
	return append(b, '}')
}

// appendMember appends a member to an unfinished object, unless JSON can't represent its
// value.
func appendMember(b []byte, m evaluator.Attr) []byte {
	number, _ := m.Value.Float()
	if m.Value.Kind() == evaluator.KindNone || math.IsInf(number, 0) || math.IsNaN(number) {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = appendString(b, m.Name)
	b = append(b, ':')
	return m.Value.AppendJSON(b)
}

// textOrNothing returns the zero Value for empty text.
func textOrNothing(text string) evaluator.Value {
	if text == "" {
		return evaluator.Value{}
	}
	return evaluator.StringValue(text)
}

func appendString(b []byte, s string) []byte { return evaluator.StringValue(s).AppendJSON(b) }

const (
	// minCompressed is the size in bytes from which on a response is compressed.
	minCompressed = 1 << 10
	// gzipSuffix is what the tag of a compressed response ends in.
	gzipSuffix = "-gzip"
)

// hasTag reports whether an If-None-Match header lists a tag, or "*", which stands for any.
// It accepts weak tags, which compressing proxies make of strong ones, and the tag of the
// compressed response.
func hasTag(ifNoneMatch []string, tag string) bool {
	for _, line := range ifNoneMatch {
		for candidate := range strings.SplitSeq(line, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == "*" || strings.ReplaceAll(candidate, gzipSuffix+`"`, `"`) == tag {
				return true
			}
		}
	}
	return false
}

// A failure is an error of OFREP.
type failure struct {
	status     int
	code       string  // an OpenFeature error code; "": a general error
	details    string  // for people
	key        *string // of the requested flag; only written with a code
	retryAfter int     // in seconds; 0: callers aren't told
}

func (f failure) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if f.code != "" {
		b = append(b, `"errorCode":`...)
		b = appendString(b, f.code)
		b = append(b, ',')
	}
	b = append(b, `"errorDetails":`...)
	b = appendString(b, f.details)
	if f.code != "" && f.key != nil {
		b = append(b, `,"key":`...)
		b = appendString(b, *f.key)
	}
	return append(b, '}')
}

func (f failure) write(w http.ResponseWriter) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	write(w, f.status, f.appendJSON(nil))
}
