//go:build unix

package deploy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin/internal/npmtest"
)

const samTemplate = "sam/template.yaml"

// A diagnostic is what AWS's validator reports.
type diagnostic struct {
	RuleID    string `json:"ruleId"`
	Severity  string `json:"severity"`
	Message   string `json:"message"`
	StartLine int    `json:"startLine"`
}

// TestTemplate has AWS's validator check the template, and templates with a mistake each, so
// that it is known to look.
func TestTemplate(t *testing.T) {
	const validator = "../testdata/js/cloudformation"
	npmtest.Install(t, validator)
	good, err := os.ReadFile(samTemplate)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(samTemplate)
	if err != nil {
		t.Fatal(err)
	}
	mistakes := []struct{ old, new, want string }{
		{"    Properties:\n      VersioningConfiguration:", "    Properties:\n      Versioning:", "F3002"},
		{"Type: AWS::KMS::Key", "Type: AWS::KMS::Keys", "F3006"},
		{"${Bucket.Arn}/${Prefix}/${Environment}/*", "${Buckets.Arn}/${Prefix}/${Environment}/*", "F1018"},
		{"      KeyUsage: SIGN_VERIFY\n      PendingWindowInDays: 30\n      KeyPolicy:", "      KeyUsage: SIGN_VERIFY\n      PendingWindowInDays: never\n      KeyPolicy:", "F3012"},
		{"      Protocol: email\n", "", "F3003"},
		{"      Metrics:\n        - Id: good", "      Metric:\n        - Id: good", "F3002"},
		{"!GetAtt EndpointUrl.FunctionUrl", "!GetAtt EndpointUrl.Url", "F6101"},
	}
	templates := []string{path}
	dir := t.TempDir()
	for i, m := range mistakes {
		if strings.Count(string(good), m.old) == 0 {
			t.Fatalf("the template doesn't have %q", m.old)
		}
		file := filepath.Join(dir, fmt.Sprintf("mistake-%d.yaml", i))
		if err := os.WriteFile(file, []byte(strings.Replace(string(good), m.old, m.new, 1)), 0o666); err != nil {
			t.Fatal(err)
		}
		templates = append(templates, file)
	}
	out := bufio.NewReader(npmtest.Run(t, validator, "validate.mjs", map[string]any{"templates": templates}))
	for i := range templates {
		line, err := out.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var all []diagnostic
		if err := json.Unmarshal(line, &all); err != nil {
			t.Fatal(err)
		}
		// Of the informative ones, each property that can't be changed is one.
		all = slices.DeleteFunc(all, func(d diagnostic) bool { return d.Severity == "INFO" })
		if i == 0 {
			for _, d := range all {
				t.Errorf("%s:%d: %s %s", samTemplate, d.StartLine, d.RuleID, d.Message)
			}
			continue
		}
		m := mistakes[i-1]
		if !slices.ContainsFunc(all, func(d diagnostic) bool { return d.RuleID == m.want }) {
			t.Errorf("%q instead of %q isn't found, only %+v", m.new, m.old, all)
		}
	}
}

// A statement is one of an IAM policy.
type statement struct {
	Action    texts                        `yaml:"Action"`
	Resource  texts                        `yaml:"Resource"`
	Condition map[string]map[string]string `yaml:"Condition"`
}

// texts is a list of texts, which may be written as one text. Functions count by their
// arguments.
type texts []string

func (l *texts) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			*l = append(*l, item.Value)
		}
		return nil
	}
	*l = texts{node.Value}
	return nil
}

// TestLeastPrivilege holds who may do what: the endpoint reads one environment, and jobs of
// one environment of one repository publish it, as does the guard, which reads metrics too.
func TestLeastPrivilege(t *testing.T) {
	data, err := os.ReadFile(samTemplate)
	if err != nil {
		t.Fatal(err)
	}
	type policy struct {
		Statement []statement `yaml:"Statement"`
	}
	var template struct {
		Resources map[string]struct {
			Properties struct {
				AssumeRolePolicyDocument policy `yaml:"AssumeRolePolicyDocument"`
				Policies                 []struct {
					PolicyDocument policy `yaml:"PolicyDocument"`
				} `yaml:"Policies"`
				ManagedPolicyArns []string        `yaml:"ManagedPolicyArns"`
				Role              string          `yaml:"Role"`
				Public            map[string]bool `yaml:"PublicAccessBlockConfiguration"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	const objects = "${Bucket.Arn}/${Prefix}/${Environment}/*"
	for role, want := range map[string][]string{
		"EndpointRole": {"s3:GetObject " + objects, "logs:CreateLogStream EndpointLogs.Arn",
			"logs:PutLogEvents EndpointLogs.Arn"},
		"Publisher": {"s3:GetObject " + objects, "s3:PutObject " + objects, "s3:ListBucket Bucket.Arn",
			"kms:GetPublicKey Key.Arn", "kms:Sign Key.Arn"},
		"GuardRole": {"s3:GetObject " + objects, "s3:PutObject " + objects, "s3:ListBucket Bucket.Arn",
			"kms:GetPublicKey Key.Arn", "kms:Sign Key.Arn", "cloudwatch:GetMetricData *", "cloudwatch:DescribeAlarms *",
			"logs:CreateLogStream GuardLogs.Arn", "logs:PutLogEvents GuardLogs.Arn"},
	} {
		r := template.Resources[role]
		var got []string
		for _, p := range r.Properties.Policies {
			for _, s := range p.PolicyDocument.Statement {
				for _, action := range s.Action {
					for _, resource := range s.Resource {
						got = append(got, action+" "+resource)
					}
				}
			}
		}
		if !slices.Equal(got, want) || len(r.Properties.ManagedPolicyArns) > 0 {
			t.Errorf("%s may %q and what %q say, want %q", role, got, r.Properties.ManagedPolicyArns, want)
		}
	}
	for function, want := range map[string]string{"Endpoint": "EndpointRole.Arn", "Guard": "GuardRole.Arn"} {
		if role := template.Resources[function].Properties.Role; role != want {
			t.Errorf("the role of %s is %s", function, role)
		}
	}
	trust := template.Resources["Publisher"].Properties.AssumeRolePolicyDocument.Statement
	if len(trust) != 1 {
		t.Fatalf("the publisher's role trusts %+v", trust)
	}
	const issuer = "token.actions.githubusercontent.com:"
	if got := trust[0].Condition["StringEquals"]; len(trust[0].Condition) != 1 ||
		got[issuer+"aud"] != "sts.amazonaws.com" ||
		got[issuer+"sub"] != "repo:${Repository}:environment:${GitHubEnvironment}" {
		t.Errorf("the publisher's role trusts if %v", trust[0].Condition)
	}
	public := template.Resources["Bucket"].Properties.Public
	for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if !public[name] {
			t.Errorf("the bucket doesn't have %s", name)
		}
	}
}

// TestTemplateKnowsTheFunction checks that the template sets variables that the function
// reads, and that alarms are on metrics that it writes.
func TestTemplateKnowsTheFunction(t *testing.T) {
	template, err := os.ReadFile(samTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	files, err := filepath.Glob("../lambda/bootstrap/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../cmd/serin/guardlambda.go", "../cmd/serin/guardsource.go") // of the guard
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	variables := regexp.MustCompile(`(?m)^ +(SERIN_[A-Z_]+):`).FindAllSubmatch(template, -1)
	metrics := regexp.MustCompile(`Namespace: Serin\n +MetricName: (\w+)`).FindAllSubmatch(template, -1)
	if len(variables) < 4 || len(metrics) < 3 {
		t.Fatalf("the template has the variables %q and the metrics %q", variables, metrics)
	}
	for _, m := range variables {
		if call := fmt.Sprintf("os.Getenv(%q)", m[1]); !strings.Contains(source.String(), call) {
			t.Errorf("the function doesn't read %s", m[1])
		}
	}
	for _, m := range metrics {
		if call := fmt.Sprintf("add(%q, ", m[1]); !strings.Contains(source.String(), call) {
			t.Errorf("the function doesn't write %s", m[1])
		}
	}
}
