package main

import (
	"io"
	"net/url"
	"path/filepath"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/handles"
)

// What follows is the part of SARIF 2.1.0 that writeSARIF uses.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// writeSARIF prints what was found in code as SARIF 2.1.0, for code scanning. Paths are those
// that a user would type, so the command should run in the repository's folder.
func writeSARIF(w io.Writer, found ci.Problems) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "serin", Version: version(),
			InformationURI: "https://github.com/serin-flags/serin"}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, r := range handles.Rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{r.Name, sarifText{r.About}})
	}
	for _, p := range found {
		run.Results = append(run.Results, sarifResult{
			RuleID: p.Lint, Level: p.Severity.String(), Message: sarifText{p.Message},
			Locations: []sarifLocation{{sarifPhysical{
				sarifArtifact{fileURI(p.File)}, sarifRegion{p.Line, p.Column},
			}}},
		})
	}
	return writeJSON(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// fileURI returns a path as a URI, relative if the path is.
func fileURI(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	}
	return u.String()
}
