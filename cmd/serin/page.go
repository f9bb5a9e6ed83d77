package main

import (
	"html/template"
	"net/http"
	"sync/atomic"

	"github.com/serin-flags/serin/ci"
)

// ofrepPath is what the path of a flag begins with.
const ofrepPath = "/ofrep/v1/evaluate/flags/"

// sampleBody is the body of a request, with a context.
const sampleBody = `{"context": {"targetingKey": "u-1"}}`

// A page lists the flags of a folder that is being edited, for a browser.
type page struct {
	env    string // that they are shown for
	estate atomic.Pointer[ci.Estate]
}

// pageTemplate needs nothing from elsewhere, and runs nothing.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Flags</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color-scheme: light dark }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .25em 1em .25em 0 }
code, pre { font-family: ui-monospace, monospace; font-size: 90% } pre { overflow-x: auto }
</style>
<h1>Flags{{with .Env}} in {{.}}{{end}}</h1>
<p>Edit the files: this server follows, and its terminal says what changed. Reload this page to see new flags.
<table>
<tr><th>flag<th>type<th>description<th>OFREP, for POST
{{range .Flags}}<tr><td><code>{{.Key}}</code><td>{{.Compiled.Type}}<td>{{.Description}}<td><code>{{$.Path}}{{.Key}}</code>
{{end}}</table>
<p>One flag, for a context:
<pre>curl -d '{{.Body}}' http://{{.Host}}{{.Path}}{{(index .Flags 0).Key}}</pre>
<p>All flags:
<pre>curl -d '{{.Body}}' http://{{.Host}}/ofrep/v1/evaluate/flags</pre>
<p><a href="/status">Status</a>
</html>
`))

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	estate := p.estate.Load()
	var flags []ci.EffectiveFlag
	for _, key := range estate.Keys() {
		if f, err := estate.Effective(key, p.env); err == nil {
			flags = append(flags, f)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	_ = pageTemplate.Execute(w, struct { // the browser has gone, then
		Env, Path, Body, Host string
		Flags                 []ci.EffectiveFlag
	}{p.env, ofrepPath, sampleBody, r.Host, flags})
}
