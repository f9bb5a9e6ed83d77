package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// OpenFeature's error codes.
const (
	parseError     = "PARSE_ERROR"
	invalidContext = "INVALID_CONTEXT"
	flagNotFound   = "FLAG_NOT_FOUND"
)

// An Answer is the result of one evaluation. OFREP represents it as a JSON object:
//
//	{"key": "new-checkout", "metadata": {"environment": "production", "owner": "checkout", "revision": 12, "rule": "staff"},
//	 "reason": "TARGETING_MATCH", "value": true, "variant": "on"}
//
// The metadata contains that of the flag and of the rule that served, and environment,
// revision and rule. If the context lacked the unit of a split or of a layer,
// missingUnit names the attribute. Metadata of flags can't replace these four names. A
// Result with ReasonError becomes OFREP's error object with the code FLAG_NOT_FOUND.
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
// of every answer. The latter's names are reserved, even if they have no value.
func (a Answer) appendMetadata(b []byte) []byte {
	reserved := [...]evaluator.Attr{ // by name
		{Name: "environment", Value: textOrNothing(a.Environment)},
		{Name: "missingUnit", Value: textOrNothing(a.Result.MissingUnit())},
		{Name: "revision"},
		{Name: "rule", Value: textOrNothing(a.Result.Rule())},
	}
	if a.Revision != 0 {
		reserved[2].Value = evaluator.IntValue(a.Revision)
	}
	b = append(b, '{')
	rest := reserved[:]
	for _, m := range a.Result.Metadata() {
		for len(rest) > 0 && rest[0].Name < m.Name {
			b = appendMember(b, rest[0])
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0].Name != m.Name {
			b = appendMember(b, m)
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

// appendAnswers appends the response for all flags.
func appendAnswers(b []byte, snapshot *sdk.Snapshot, ctx evaluator.Context) []byte {
	b = append(b, `{"flags":[`...)
	for key, result := range snapshot.All(ctx) {
		if b[len(b)-1] != '[' {
			b = append(b, ',')
		}
		b = Answer{Key: key, Result: result}.AppendJSON(b)
	}
	b = append(b, `],"metadata":`...)
	b = Answer{Environment: snapshot.Environment(), Revision: snapshot.Revision()}.appendMetadata(b)
	return append(b, '}')
}

// entityTag returns the strong entity tag of a body.
func entityTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// hasTag reports whether an If-None-Match header lists a tag. It accepts weak tags, which
// compressing proxies make of strong ones. It doesn't accept "*", which says nothing
// about what the caller has.
func hasTag(ifNoneMatch []string, tag string) bool {
	for _, line := range ifNoneMatch {
		for candidate := range strings.SplitSeq(line, ",") {
			if strings.TrimPrefix(strings.TrimSpace(candidate), "W/") == tag {
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
