package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestObject(t *testing.T) {
	var got []string
	err := Object([]byte(" {\"a\" : 1.5e+3,\n\t\"\\u00e4\":[{}, null],\"a\":{\"b\":\"}\"}, \"\": \"\\\"\"} "),
		func(name, value []byte) error {
			got = append(got, Text(name)+"="+string(value))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a=1.5e+3", "ä=[{}, null]", `a={"b":"}"}`, `="\""`}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	if err := Array([]byte(`[1, 2, 3, !`), func([]byte) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	}); err != stop || n != 2 {
		t.Errorf("Array called element %d times and returned %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	for data, want := range map[string]string{
		``:                                      "the value has another type",
		` [1]`:                                  "the value has another type",
		`{"a":1`:                                "the JSON ends too early",
		`{"a`:                                   "the JSON ends too early",
		`{"a":"\u00`:                            "the JSON ends too early",
		`{"a":1} {`:                             "there is something after the end of the JSON",
		`{"a":1,}`:                              "the JSON is malformed near byte 7",
		`{"a":01}`:                              "the JSON is malformed near byte 6",
		`{"a":"` + "\n":                         "the JSON is malformed near byte 6",
		`{"a":` + strings.Repeat("[", MaxDepth): fmt.Sprintf("the JSON is malformed near byte %d", 4+MaxDepth),
	} {
		err := Object([]byte(data), func(_, _ []byte) error { return nil })
		if err == nil || err.Error() != want {
			t.Errorf("%.40s: got error %v, want %q", data, err, want)
		}
	}
}

// TestDoesNotAllocate holds that reading costs no memory, however large data is.
func TestDoesNotAllocate(t *testing.T) {
	data := []byte(`{"a":[` + strings.Repeat(`{"b":-1.5},`, 1000) + `"ä"]}`)
	if n := testing.AllocsPerRun(10, func() {
		if err := Object(data, func(_, _ []byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzValid holds that documents are valid here if they are for encoding/json, and that
// names, values and texts are the same.
func FuzzValid(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,0.5e-7,1E9],"b":{"c":null},"\ud83d\ude00":"\ud800\u0000","d":true,"e":false}`,
		`[]`, `[[],{}]`, `{"a":"` + "\xff" + `"}`, `{"a":tru}`, `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`, `[-]`, `[1.]`,
		`[1e]`, `["\x"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Count(string(data), "[")+strings.Count(string(data), "{") >= MaxDepth {
			return
		}
		type member struct{ Name, Value string }
		var members []member
		var elements []string
		objectErr := Object(data, func(name, value []byte) error {
			members = append(members, member{Text(name), string(value)})
			return nil
		})
		arrayErr := Array(data, func(value []byte) error {
			elements = append(elements, string(value))
			return nil
		})
		var raw json.RawMessage
		valid := json.Unmarshal(data, &raw) == nil && len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
		if accepted := objectErr == nil || arrayErr == nil; accepted != valid {
			t.Fatalf("valid: %v, Object: %v, Array: %v", valid, objectErr, arrayErr)
		}
		if !valid {
			return
		}
		if raw[0] == '[' {
			var want []json.RawMessage
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fmt.Sprintf("%s", want), fmt.Sprintf("%s", elements)); diff != "" {
				t.Error(diff)
			}
			return
		}
		last := map[string]json.RawMessage{}
		for _, m := range members {
			last[m.Name] = json.RawMessage(m.Value)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprintf("%s", want), fmt.Sprintf("%s", last)); diff != "" {
			t.Error(diff)
		}
	})
}
