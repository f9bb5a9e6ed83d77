package lambda

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzHandler checks that no request makes the handler panic (which would be a
// 500), and that each gets JSON, or nothing where there is nothing to say, with
// one of the documented statuses. [ask] checks the form.
func FuzzHandler(f *testing.F) {
	handler := New(newEstate(f, withChance(testRuleset())).open(f), Config{})
	for _, seed := range []struct{ method, path, ifNoneMatch, body string }{
		{"POST", flagsPath, `"x", W/"y"`,
			`{"context":{"targetingKey":"u-1","city":"shenzhen","uid":17,"tags":["a"],"more":{"deep":null}}}`},
		{"POST", flagsPath + "/limit", "", `{"context":{"uid":-9223372036854775808}}`},
		{"POST", flagsPath + "/", "*", `{"context":{"targetingKey":"","city":"\ud800"}}`},
		{"POST", flagsPath + "/theme", "", `{"context":{"uid":1e400}}`},
		{"POST", flagsPath + "/by-device", "", `{"context":{"device":"` + strings.Repeat("a", 300) + `","device":1.5}}`},
		{"POST", flagsPath, "", `{"context":` + strings.Repeat("[", 20_000)},
		{"POST", flagsPath + "/../flags", ",,,", "\x00"},
		{"POST", flagsPath + "/new-checkout", "", `{"context":{"targetingKey":"u-1"}}`},
		{"POST", flagsPath + "/rate", "", `{"context":{"rule":"x","revision":7}}`},
		{"GET", statusPath, "", ""},
		{"OPTIONS", "/", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.ifNoneMatch, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, method, path, ifNoneMatch string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Method, r.URL.Path = method, path
		r.Header.Set("If-None-Match", ifNoneMatch)
		switch w := ask(t, handler, r); w.Code {
		case http.StatusOK, http.StatusNoContent, http.StatusNotModified, http.StatusBadRequest,
			http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("status is %d", w.Code)
		}
	})
}
