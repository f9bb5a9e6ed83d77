package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/serin-flags/serin/internal/jsontext"
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
	text  string
	other bool // neither a text nor a number
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

// A decoder reads events from lines of JSON.
type decoder struct {
	wanted map[string]string // the names that fields may have, by themselves
	named  bool              // skip events of another name than the SDK's, where they have one
	emit   func(record) error
	record record // of the last line, for the next one
}

func newDecoder(c *Config, named bool, emit func(record) error) *decoder {
	d := &decoder{wanted: make(map[string]string), named: named, emit: emit, record: make(record)}
	for _, names := range [][]string{
		fields.flag, c.unitNames(), fields.variant, fields.reason, fields.environment, fields.time, {c.Metric},
	} {
		for _, name := range names {
			d.wanted[name] = name
		}
	}
	return d
}

// line reads the events in a line of JSON:
//
//   - an object whose members are the fields, or that has them in its member "attributes"
//   - resourceLogs as in OTLP, with any number of events
//   - a record as OpenTelemetry's exporter for Go writes it to standard output
func (d *decoder) line(line []byte) error {
	clear(d.record)
	var logs []byte
	isGo := false
	err := jsontext.Object(line, func(name, value []byte) error {
		switch string(name) {
		case `"resourceLogs"`:
			logs = value
		case `"Attributes"`:
			isGo = isGo || value[0] == '['
		case `"attributes"`:
			if value[0] == '{' {
				return jsontext.Object(value, d.member)
			}
		default:
			return d.member(name, value)
		}
		return nil
	})
	switch {
	case errors.Is(err, jsontext.ErrKind):
		return errors.New("expected a JSON object")
	case err != nil:
		return err
	case logs != nil:
		return d.otlp(logs)
	case isGo:
		return d.goRecord(line)
	}
	return d.emit(d.record)
}

// member adds a member of an object to the record if it's a field.
func (d *decoder) member(name, value []byte) error {
	key := name[1 : len(name)-1]
	if bytes.IndexByte(key, '\\') >= 0 {
		key = []byte(jsontext.Text(name))
	}
	if known, ok := d.wanted[string(key)]; ok {
		d.record.set(known, value)
	}
	return nil
}

// set sets a field to a value of JSON.
func (r record) set(name string, value []byte) {
	switch value[0] {
	case '"':
		r[name] = field{text: jsontext.Text(value)}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		r[name] = field{text: string(value)}
	case 'n': // null
	default:
		r[name] = field{text: string(value[:1]), other: true}
	}
}

// errShape is about valid JSON of another form.
var errShape = errors.New("the JSON isn't of the expected shape")

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
		return field{text: string(bytes.Trim(v.IntValue, `"`))}
	case v.DoubleValue != nil:
		return field{text: string(bytes.Trim(v.DoubleValue, `"`))}
	}
	return field{text: "?", other: true}
}

// otlp reads the member resourceLogs of OTLP.
func (d *decoder) otlp(raw []byte) error {
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
		return errShape
	}
	for _, resource := range logs {
		for _, scope := range resource.ScopeLogs {
			for _, l := range scope.LogRecords {
				if d.named && l.EventName != "" && l.EventName != evaluation {
					continue
				}
				r := make(record, len(l.Attributes)+1)
				for _, a := range l.Attributes {
					r[a.Key] = a.Value.field()
				}
				if ns, err := strconv.ParseInt(string(bytes.Trim(l.TimeUnixNano, `"`)), 10, 64); err == nil && ns > 0 {
					r["timestamp"] = field{text: time.Unix(0, ns).UTC().Format(time.RFC3339Nano)}
				}
				if err := d.emit(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// goRecord reads what the exporter for Go writes.
func (d *decoder) goRecord(line []byte) error {
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
		return errShape
	}
	if d.named && l.EventName != "" && l.EventName != evaluation {
		return nil
	}
	r := record{"timestamp": {text: l.Timestamp}}
	for _, a := range l.Attributes {
		if len(a.Value.Value) > 0 {
			r.set(a.Key, a.Value.Value)
		}
	}
	return d.emit(r)
}
