// Package page shows flags to people: rules as sentences, what a context gets and why, what
// changes next, what needs attention, who uses what, who changes, and the history. It makes
// HTML that needs nothing from elsewhere, for "serin dev", for "serin serve" on a listener of
// its own, and as a static site.
//
// Start at New, which makes a Model of compiled flags, and pass that to a Handler or to
// Write. A part that the model, or the functions in Options, can't know anything about says
// so and names the command that does.
//
// What the page shows comes from files of many people, and may contain anything. All of it
// goes through package display and html/template; no script or style is inline, and the
// Content-Security-Policy allows nothing from other origins. Of IDs, it shows only how many
// there are, except in patches and comparisons with [Options.Live], whose viewer is editing the
// files that they are in. docs/page.md says what counts as an ID.
package page
