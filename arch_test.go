package serin_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/serin-flags/serin"

// allowed is what each package may import beside the standard library: packages
// of this module by their path in it, and other modules by theirs.
var allowed = map[string][]string{
	"":          {},
	"evaluator": {"internal/jsontext", "github.com/spaolacci/murmur3"},
	"bundle":    {"evaluator", "github.com/tinylib/msgp"},

	"sdk": {"bundle", "evaluator", "internal/location", "internal/regular", "github.com/fsnotify/fsnotify"},
	"sdk/s3source": {"sdk", "bundle", "internal/location", "internal/s3client", "internal/s3config",
		"github.com/aws/aws-sdk-go-v2"},
	"sdk/openfeature": {"sdk", "evaluator", "github.com/open-feature/go-sdk"},
	"sdk/otel":        {"sdk", "sdk/shadow", "evaluator", "go.opentelemetry.io/otel"},
	"sdk/sdktest":     {"sdk", "bundle", "evaluator"},
	"sdk/shadow":      {"sdk"},
	"sdk/trafficlog":  {},
	"sdk/migrate":     {"sdk"},

	"sdk/examples":            {},
	"sdk/examples/web":        {"sdk"},
	"sdk/examples/worker":     {"sdk"},
	"sdk/examples/function":   {"sdk", "sdk/s3source", "github.com/aws/aws-lambda-go"},
	"sdk/examples/kubernetes": {"sdk"},
	"sdk/examples/release":    {"sdk", "github.com/prometheus/client_golang"},

	"deploy": {"internal/child"},
	"lambda": {"lambda/access", "lambda/enrich", "lambda/internal/limit", "lambda/route", "sdk",
		"evaluator", "internal/jsontext", "github.com/klauspost/compress"},
	"lambda/access": {"internal/bounded", "internal/suggest", "lambda/enrich",
		"github.com/MicahParks/keyfunc/v3", "github.com/fsnotify/fsnotify", "github.com/golang-jwt/jwt/v5",
		"go.yaml.in/yaml/v4", "golang.org/x/time"},
	"lambda/enrich":         {"evaluator", "internal/from", "github.com/medama-io/go-useragent"},
	"lambda/internal/limit": {"evaluator"},
	"lambda/route":          {"lambda/enrich", "lambda/internal/limit", "internal/from", "sdk", "evaluator"},
	"lambda/metrics":        {"bundle", "lambda", "sdk", "github.com/prometheus/client_golang"},
	"lambda/bootstrap": {"bundle", "internal/location", "internal/s3client", "lambda", "lambda/access",
		"lambda/enrich", "sdk", "github.com/aws/aws-lambda-go", "github.com/aws/aws-sdk-go-v2"},

	"ci": {"ci/internal/compose", "ci/internal/problem", "bundle", "evaluator", "ci/internal/editor",
		"ci/internal/flagtest", "ci/internal/lang", "ci/internal/lint", "ci/internal/lock", "ci/internal/plan",
		"ci/internal/share", "ci/internal/source", "internal/suggest"},
	"ci/batch": {"ci/internal/source"},
	"ci/diff": {"bundle", "ci/internal/decide", "ci/internal/parallel", "evaluator", "internal/display",
		"internal/values"},
	"ci/edit": {"ci", "ci/internal/compose", "ci/internal/overlay", "ci/internal/share", "ci/internal/source",
		"ci/internal/splice", "evaluator", "internal/suggest"},
	"ci/gogen":   {"bundle", "ci", "evaluator", "internal/display"},
	"ci/handles": {"ci", "ci/internal/problem", "evaluator", "internal/suggest", "golang.org/x/tools"},
	"ci/page": {"bundle", "ci", "ci/diff", "ci/edit", "ci/plans", "ci/release", "evaluator",
		"internal/display", "internal/served"},
	"ci/plans":            {"bundle", "ci", "ci/release", "evaluator"},
	"ci/gittree":          {"internal/gitexec"},
	"ci/guard":            {"ci/internal/plan", "ci/internal/sequential"},
	"ci/guard/cloudwatch": {"ci/guard", "github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go", "internal/bounded"},
	"ci/guard/command":    {"ci/guard"},
	"ci/guard/prometheus": {"ci/guard", "github.com/prometheus/client_golang", "github.com/prometheus/common",
		"internal/bounded"},
	"ci/release/internal/keyfile": {},
	"ci/release": {"bundle", "ci/release/internal/keyfile", "internal/regular", "github.com/theupdateframework/go-tuf/v2",
		"github.com/secure-systems-lab/go-securesystemslib"},
	"ci/comment":   {"internal/display"},
	"ci/awskms":    {"ci/release", "github.com/aws/aws-sdk-go-v2", "internal/bounded"},
	"ci/traffic":   {},
	"ci/filestore": {"ci/release", "bundle", "internal/regular", "golang.org/x/sys"},
	"ci/s3store": {"ci/release", "bundle", "internal/location", "internal/s3client", "internal/s3config",
		"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
	"ci/experiment": {"ci/internal/sequential", "internal/display", "internal/jsontext",
		"github.com/spaolacci/murmur3", "gonum.org/v1/gonum"},

	"ci/importer": {"ci", "ci/internal/compose", "ci/internal/lang", "ci/internal/overlay", "ci/internal/share",
		"ci/internal/source", "evaluator"},
	// A package for each system, which knows nothing but the intermediate form.
	"ci/importer/abtestinggateway": {"ci/importer"},
	"ci/importer/configcat":        {"ci/importer"},
	"ci/importer/eppo":             {"ci/importer"},
	"ci/importer/featurevisor":     {"ci/importer", "evaluator"},
	"ci/importer/flagd":            {"ci/importer", "ci/importer/internal/jsonlogic"},
	"ci/importer/flagsmith":        {"ci/importer"},
	"ci/importer/flipt":            {"ci/importer", "go.yaml.in/yaml/v4"},
	"ci/importer/gofeatureflag": {"ci/importer", "ci/importer/internal/jsonlogic", "github.com/BurntSushi/toml",
		"go.yaml.in/yaml/v4"},
	"ci/importer/growthbook":   {"ci/importer"},
	"ci/importer/launchdarkly": {"ci/importer", "evaluator"},
	"ci/importer/posthog":      {"ci/importer"},
	"ci/importer/split":        {"ci/importer"},
	"ci/importer/unleash":      {"ci/importer"},

	"ci/importer/internal/jsonlogic": {"ci/importer"},

	"ci/internal/overlay":    {},
	"ci/internal/parallel":   {},
	"ci/internal/problem":    {"internal/display", "internal/suggest"},
	"ci/internal/source":     {"ci/internal/parallel", "ci/internal/problem", "go.yaml.in/yaml/v4"},
	"ci/internal/compose":    {"ci/internal/source"},
	"ci/internal/splice":     {"ci/internal/compose", "ci/internal/source"},
	"ci/internal/sequential": {},
	"ci/internal/share":      {"evaluator"},
	"ci/internal/imply":      {"evaluator"},
	"ci/internal/word":       {},
	"ci/internal/plan":       {"ci/internal/share", "ci/internal/word", "internal/suggest"},
	"ci/internal/lock": {"ci/internal/problem", "ci/internal/share", "ci/internal/source", "ci/internal/word",
		"evaluator", "internal/suggest"},
	"ci/internal/phrase": {"ci/internal/problem", "ci/internal/share", "ci/internal/source", "evaluator",
		"internal/suggest"},
	"ci/internal/idlist":    {"ci/internal/phrase", "ci/internal/problem", "ci/internal/source", "internal/suggest"},
	"ci/internal/guardfile": {"ci/internal/phrase", "ci/internal/plan", "ci/internal/share", "ci/internal/source"},
	"ci/internal/lang": {"ci/internal/guardfile", "ci/internal/idlist", "ci/internal/parallel", "ci/internal/phrase",
		"ci/internal/plan", "ci/internal/problem", "ci/internal/lock", "ci/internal/share", "ci/internal/source",
		"bundle", "evaluator", "internal/from", "internal/suggest"},
	"ci/internal/lint": {"ci/internal/idlist", "ci/internal/imply", "ci/internal/lang", "ci/internal/parallel",
		"ci/internal/plan", "ci/internal/problem", "ci/internal/share", "ci/internal/source", "evaluator", "internal/from"},
	"ci/internal/decide": {"evaluator", "internal/values"},
	"ci/internal/editor": {"ci/internal/lang", "ci/internal/source", "evaluator", "schema"},
	"ci/internal/flagtest": {"ci/internal/parallel", "ci/internal/plan", "ci/internal/problem", "ci/internal/lang",
		"ci/internal/share", "ci/internal/source", "evaluator", "internal/suggest", "internal/values"},

	"schema": {},

	"internal/bounded":  {},
	"internal/display":  {},
	"internal/gitexec":  {},
	"internal/jsontext": {},
	"internal/listen":   {},
	"internal/location": {},
	"internal/regular":  {},
	"internal/s3client": {"bundle", "internal/location", "github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
	"internal/s3config": {"internal/location", "internal/s3client", "github.com/aws/aws-sdk-go-v2"},
	"internal/served":   {"evaluator"},
	"internal/suggest":  {},
	"internal/values":   {"evaluator"},

	"cmd/serin": {
		"", "bundle", "ci", "ci/awskms", "ci/batch", "ci/comment", "ci/diff", "ci/edit", "ci/experiment",
		"ci/gittree", "ci/gogen", "ci/handles", "ci/guard", "ci/guard/cloudwatch", "ci/guard/command",
		"ci/filestore", "ci/guard/prometheus", "ci/importer", "ci/page", "ci/release", "ci/s3store", "evaluator",
		"internal/display",
		"internal/gitexec", "internal/listen", "internal/location", "internal/regular", "internal/served",
		"internal/suggest", "lambda", "lambda/access", "lambda/enrich", "lambda/metrics", "schema", "sdk",
		"sdk/s3source", "ci/plans", "ci/guard", "ci/traffic",
		"ci/importer/abtestinggateway",
		"ci/importer/configcat",
		"ci/importer/eppo",
		"ci/importer/featurevisor",
		"ci/importer/flagd",
		"ci/importer/flagsmith",
		"ci/importer/flipt",
		"ci/importer/gofeatureflag",
		"ci/importer/growthbook",
		"ci/importer/launchdarkly",
		"ci/importer/posthog",
		"ci/importer/split",
		"ci/importer/unleash",
		"github.com/aws/aws-lambda-go", "github.com/fsnotify/fsnotify", "github.com/prometheus/client_golang",
		"github.com/rogpeppe/go-internal/diff", "github.com/spf13/cobra", "github.com/tailscale/hujson",
		"golang.org/x/crypto/x509roots/fallback", "golang.org/x/term",
	},
}

// TestImports holds the direction of imports: cmd to ci and lambda, lambda to
// sdk, sdk and ci to bundle, bundle to evaluator.
func TestImports(t *testing.T) {
	for _, line := range goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		imports := strings.Fields(line)
		pkg := within(imports[0])
		may, ok := allowed[pkg]
		if !ok && slices.Contains(strings.Split(pkg, "/"), "internal") {
			continue // for tests only: no list has one
		}
		if !ok {
			t.Errorf("package %q is not in the list of packages", pkg)
		}
		for _, imp := range imports[1:] {
			if standard(imp) || slices.ContainsFunc(may, func(a string) bool { return covers(a, imp) }) {
				continue
			}
			t.Errorf("package %q may not import %s", pkg, imp)
		}
	}
}

// TestModulesOfSDK holds what a program that uses the SDK links, and what each
// package beside it adds.
func TestModulesOfSDK(t *testing.T) {
	base := []string{
		"github.com/fsnotify/fsnotify", "github.com/philhofer/fwd", module,
		"github.com/spaolacci/murmur3", "github.com/tinylib/msgp", "golang.org/x/sys",
	}
	for pkg, more := range map[string][]string{
		"sdk":             nil,
		"sdk/sdktest":     nil,
		"sdk/shadow":      nil,
		"sdk/migrate":     nil,
		"sdk/openfeature": {"github.com/open-feature/go-sdk"},
		"sdk/otel": {
			"github.com/cespare/xxhash/v2", "github.com/go-logr/logr", "github.com/go-logr/stdr",
			"go.opentelemetry.io/auto/sdk",
			"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/log", "go.opentelemetry.io/otel/metric",
			"go.opentelemetry.io/otel/trace",
		},
	} {
		want := slices.Sorted(slices.Values(slices.Concat(base, more)))
		got := goList(t, `{{with .Module}}{{.Path}}{{end}}`, "-deps", "./"+pkg)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s links the modules %v, not %v", pkg, got, want)
		}
	}
}

// TestModulesOfLambda holds that the Lambda function links neither Prometheus nor what
// publishes flags, which would make cold starts slower.
func TestModulesOfLambda(t *testing.T) {
	linked := goList(t, `{{.ImportPath}}`, "-deps", "./lambda/bootstrap")
	for _, pkg := range linked {
		for _, heavy := range []string{"github.com/prometheus/", module + "/lambda/metrics", module + "/ci",
			"github.com/spf13/"} {
			if strings.HasPrefix(pkg, heavy) {
				t.Errorf("lambda/bootstrap links %s", pkg)
			}
		}
	}
	if !slices.Contains(linked, module+"/lambda") {
		t.Error("lambda/bootstrap doesn't link lambda")
	}
}

// goList returns the lines that go list prints, without empty ones.
func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool { return s == "" })
}

// within returns the path of a package of this module in it.
func within(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// covers reports whether an entry of a list allows to import a package: of this
// module that very package, of others any.
func covers(entry, path string) bool {
	if path == module || strings.HasPrefix(path, module+"/") {
		return within(path) == entry
	}
	return path == entry || strings.HasPrefix(path, entry+"/")
}
