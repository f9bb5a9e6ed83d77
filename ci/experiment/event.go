package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// An event is an exposure or an outcome.
type event struct {
	flag, unit, variant, reason, environment string
	time                                     int64 // nanoseconds since 1970; 0: unknown
	number                                   float64
	hasNumber                                bool
}

// fields are the names that an event's fields have: in OpenTelemetry's semantic conventions,
// and short ones.
var fields = struct{ flag, unit, variant, reason, environment, time []string }{
	flag:        []string{"feature_flag.key", "flag"},
	unit:        []string{"feature_flag.context.id", "targetingKey", "unit"},
	variant:     []string{"feature_flag.result.variant", "variant"},
	reason:      []string{"feature_flag.result.reason", "reason"},
	environment: []string{"feature_flag.set.id", "environment"},
	time:        []string{"timestamp", "time"},
}

// evaluation is the name of the SDK's events.
const evaluation = "feature_flag.evaluation"

// A record is the fields of an event by name: texts, and numbers as JSON has them.
type record map[string]field

type field struct {
	text   string
	number bool // the text is a number of JSON
	other  bool // neither a text nor a number
}

// event returns a record as an event. Its errors don't contain what fields hold.
func (c *Config) event(r record) (e event, err error) {
	for _, f := range []struct {
		to    *string
		names []string
	}{
		{&e.flag, fields.flag}, {&e.unit, c.unitNames()}, {&e.variant, fields.variant}, {&e.reason, fields.reason},
		{&e.environment, fields.environment},
	} {
		for _, name := range f.names {
			if v, ok := r[name]; ok {
				if v.other {
					return event{}, fmt.Errorf("%s isn't a text", name)
				}
				*f.to = v.text
				break
			}
		}
	}
	for _, name := range fields.time {
		if v, ok := r[name]; ok && v.text != "" {
			if e.time, err = v.time(); err != nil {
				return event{}, fmt.Errorf("%s %w", name, err)
			}
			break
		}
	}
	if v, ok := r[c.Metric]; ok && c.Metric != "" && v.text != "" {
		n, err := strconv.ParseFloat(v.text, 64)
		if err != nil || !(math.Abs(n) <= maxNumber) || v.other {
			return event{}, fmt.Errorf("%s isn't a number from -1e15 to 1e15", c.Metric)
		}
		e.number, e.hasNumber = n, true
	}
	return e, nil
}

func (c *Config) unitNames() []string {
	if c.Unit != "" {
		return []string{c.Unit}
	}
	return fields.unit
}

// time reads a time: RFC 3339, or Unix seconds.
func (f field) time() (int64, error) {
	if t, err := time.Parse(time.RFC3339Nano, f.text); err == nil {
		return nanoseconds(t), nil
	}
	seconds, err := strconv.ParseFloat(f.text, 64)
	if err != nil || !(math.Abs(seconds) < 9e9) {
		return 0, errors.New("isn't a time, such as 2026-12-01T10:00:00Z or Unix seconds")
	}
	return int64(seconds * 1e9), nil
}

// decodeLine reads the events in a line of JSON:
//
//   - an object whose members are the fields, or that has them in its member "attributes"
//   - resourceLogs as in OTLP, with any number of events
//   - a record as OpenTelemetry's exporter for Go writes it to standard output
//
// Events of another name than the SDK's are skipped in the latter two if named is set.
func decodeLine(line []byte, named bool, emit func(record) error) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return jsonProblem(err)
	}
	if object == nil {
		return errors.New("expected a JSON object")
	}
	if logs, ok := object["resourceLogs"]; ok {
		return decodeOTLP(logs, named, emit)
	}
	if attributes, ok := object["Attributes"]; ok && bytes.HasPrefix(attributes, []byte("[")) {
		return decodeGo(line, named, emit)
	}
	r := make(record, len(object))
	r.add(object)
	if attributes, ok := object["attributes"]; ok {
		var inner map[string]json.RawMessage
		if json.Unmarshal(attributes, &inner) == nil {
			r.add(inner)
		}
	}
	return emit(r)
}

// jsonProblem describes an error without the text that it is about.
func jsonProblem(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("malformed JSON at byte %d", syntax.Offset)
	}
	return errors.New("the JSON isn't of the expected shape")
}

func (r record) add(object map[string]json.RawMessage) {
	for name, raw := range object {
		switch raw[0] {
		case '"':
			var text string
			_ = json.Unmarshal(raw, &text) // which it has been already, as a part of the line
			r[name] = field{text: text}
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			r[name] = field{text: string(raw), number: true}
		case 'n':
		default:
			r[name] = field{text: string(raw[:1]), other: true}
		}
	}
}

// An anyValue is a value of an attribute in OTLP.
type anyValue struct {
	StringValue *string
	IntValue    json.RawMessage // a text, or a number
	DoubleValue json.RawMessage
	BoolValue   *bool
}

func (v anyValue) field() field {
	switch {
	case v.StringValue != nil:
		return field{text: *v.StringValue}
	case v.IntValue != nil:
		return field{text: string(bytes.Trim(v.IntValue, `"`)), number: true}
	case v.DoubleValue != nil:
		return field{text: string(bytes.Trim(v.DoubleValue, `"`)), number: true}
	}
	return field{text: "?", other: true}
}

func decodeOTLP(raw json.RawMessage, named bool, emit func(record) error) error {
	var logs []struct {
		ScopeLogs []struct {
			LogRecords []struct {
				TimeUnixNano json.RawMessage
				EventName    string
				Attributes   []struct {
					Key   string
					Value anyValue
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &logs); err != nil {
		return jsonProblem(err)
	}
	for _, resource := range logs {
		for _, scope := range resource.ScopeLogs {
			for _, l := range scope.LogRecords {
				if named && l.EventName != "" && l.EventName != evaluation {
					continue
				}
				r := make(record, len(l.Attributes)+1)
				for _, a := range l.Attributes {
					r[a.Key] = a.Value.field()
				}
				if ns, err := strconv.ParseInt(string(bytes.Trim(l.TimeUnixNano, `"`)), 10, 64); err == nil && ns > 0 {
					r["timestamp"] = field{text: time.Unix(0, ns).UTC().Format(time.RFC3339Nano)}
				}
				if err := emit(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func decodeGo(line []byte, named bool, emit func(record) error) error {
	var l struct {
		Timestamp  string
		EventName  string
		Attributes []struct {
			Key   string
			Value struct {
				Type  string
				Value json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return jsonProblem(err)
	}
	if named && l.EventName != "" && l.EventName != evaluation {
		return nil
	}
	r := record{"timestamp": {text: l.Timestamp}}
	for _, a := range l.Attributes {
		if len(a.Value.Value) > 0 {
			r.add(map[string]json.RawMessage{a.Key: a.Value.Value})
		}
	}
	return emit(r)
}
