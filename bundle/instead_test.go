package bundle

import "testing"

// TestInsteadOfJSON holds what is told of responses that aren't metadata at all.
func TestInsteadOfJSON(t *testing.T) {
	const page = "it is an HTML page, such as one to log in, instead of JSON: check the URL, and what the server " +
		"asks of clients"
	for raw, want := range map[string]string{
		"":                            "it is empty: check the URL, and what the server sends",
		" \n":                         "it is empty: check the URL, and what the server sends",
		"-----BEGIN PRIVATE KEY-----": "it is a key or a certificate in PEM instead of JSON: name root.json",
		"\x1f\x8b\x08": "it is compressed with gzip: have the server, or the CDN in front of it, " +
			"send it as it was published",
		"<!DOCTYPE html><title>Log in":    page,
		"\n<html>":                        page,
		"<?xml version=\"1.0\"?><Error/>": "it is XML instead of JSON: check the URL",
		"{":                               "parsing JSON at byte 1: syntax error",
		"{}":                              `"signed" is missing`,
	} {
		if _, err := open([]byte(raw)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", raw, err, want)
		}
	}
}
