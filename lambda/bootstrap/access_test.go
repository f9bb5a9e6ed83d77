//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/lambda/access"
)

// TestSigner holds that who has signed a request is taken from what IAM says, and from
// nothing that a client sends.
func TestSigner(t *testing.T) {
	const arn = "arn:aws:sts::123456789012:assumed-role/reports/i-0abc"
	for name, test := range map[string]struct{ event, want string }{
		"Function URL": {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}, "authorizer": {"iam": {
			"accessKey": "AKIA", "accountId": "123456789012", "callerId": "AROA:i", "cognitoIdentity": null, "principalOrgId": "o-1",
			"userArn": "` + arn + `", "userId": "AROA:i"}}}}`, arn},
		"REST API":                  {`{"version": "1.0", "path": "/", "httpMethod": "GET", "requestContext": {"identity": {"userArn": "` + arn + `"}}}`, arn},
		"nobody":                    {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}}}`, ""},
		"a REST API without IAM":    {`{"version": "1.0", "path": "/", "httpMethod": "GET", "requestContext": {"identity": {"userArn": null}}}`, ""},
		"another authorizer":        {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}, "authorizer": {"lambda": {"iam": {"userArn": "` + arn + `"}}}}}`, ""},
		"one of another type":       {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}, "authorizer": "iam"}}`, ""},
		"claims":                    {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}, "authorizer": {"jwt": {"claims": {"userArn": "` + arn + `"}}}}}`, ""},
		"an identity in format 2.0": {`{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}, "identity": {"userArn": "` + arn + `"}}}`, ""},
		"headers, query and body": {`{"version": "2.0", "rawPath": "/", "rawQueryString": "userArn=` + arn + `", "headers": {"x-amzn-iam-user-arn": "` + arn + `", "authorizer": "` + arn + `"},
			"body": "{\"requestContext\": {\"authorizer\": {\"iam\": {\"userArn\": \"` + arn + `\"}}}}", "requestContext": {"http": {"method": "GET"}}}`, ""},
		"a load balancer": {`{"requestContext": {"elb": {"targetGroupArn": "` + arn +
			`"}}, "httpMethod": "GET", "path": "/", "headers": {"x-amzn-iam-user-arn": "` + arn + `"}}`, ""},
	} {
		path := filepath.Join(t.TempDir(), "clients.yaml")
		if err := os.WriteFile(path,
			[]byte("clients: [{name: reports, kind: server, iam: arn:aws:iam::123456789012:role/reports}]"),
			0o666); err != nil {
			t.Fatal(err)
		}
		gate, err := access.Open(t.Context(), path, nil, newLogger(os.Stderr, "ERROR"))
		if err != nil {
			t.Fatal(err)
		}
		a := adapter{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if caller, _ := gate.Admit(r); (caller != nil) != (test.want != "") {
				t.Errorf("%s: the caller is %v", name, caller)
			}
		})}
		if _, err := a.invoke(t.Context(), []byte(test.event)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClients starts the function with a file of clients.
func TestClients(t *testing.T) {
	keys, published := t.TempDir(), t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, filestore.New(published), loaded, 7)
	key, hash := access.NewKey()
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(clients, fmt.Appendf(nil, "clients: [{name: shop, kind: server, keys: %s}]", hash),
		0o666); err != nil {
		t.Fatal(err)
	}
	f := lambdatest.Start(t, lambdatest.Config{Binary: binary, Env: []string{
		"SERIN_FROM=file://" + published, "SERIN_ROOT=" + filepath.Join(keys, "root.json"), "SERIN_CLIENTS=" + clients,
	}})
	for want, headers := range map[string]string{
		`"statusCode":200`: `"x-api-key": "` + key + `"`,
		`"statusCode":401`: `"x-api-key": "wrong"`,
	} {
		answer, err := f.Invoke(t.Context(), []byte(`{"version": "2.0", "rawPath": "/ofrep/v1/evaluate/flags", "headers": {`+headers+`},
			"body": "{}", "requestContext": {"http": {"method": "POST"}}}`))
		if err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %s, %v", want, answer, err)
		}
	}
	if strings.Contains(f.Log(), key) {
		t.Errorf("the log has the key:\n%s", f.Log())
	}
}
