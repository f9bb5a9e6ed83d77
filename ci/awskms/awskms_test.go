package awskms_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/awskms"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/kmstest"
)

// start starts a KMS and leads the AWS SDK to it.
func start(t *testing.T) *kmstest.Server {
	server := kmstest.Start(t)
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return server
}

func TestKey(t *testing.T) {
	server := start(t)
	arn := server.CreateKey(t, "flags")
	for _, id := range []string{arn, "alias/flags"} {
		key, err := awskms.Open(t.Context(), "awskms:///"+id)
		if err != nil {
			t.Fatal(err)
		}
		// More than KMS would take as it is.
		message := bytes.Repeat([]byte("message "), 10_000)
		signature, err := key.Sign(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(message)
		if !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], signature) {
			t.Error("the signature doesn't verify")
		}
	}
	if calls := strings.Join(server.Calls(), " "); calls != "GetPublicKey Sign GetPublicKey Sign" {
		t.Errorf("calls: %s", calls)
	}
	// The region is that of the ARN.
	t.Setenv("AWS_REGION", "us-west-1")
	if _, err := awskms.Open(t.Context(), "awskms:///"+arn); err != nil {
		t.Error(err)
	}
	t.Setenv("AWS_REGION", "")
	if _, err := awskms.Open(t.Context(), "awskms:///alias/flags"); err == nil ||
		!strings.Contains(err.Error(), "set AWS_REGION") {
		t.Errorf("without a region: error %v", err)
	}
	t.Setenv("AWS_REGION", kmstest.Region)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	if _, err := awskms.Open(t.Context(), "awskms:///alias/flags"); err == nil ||
		!strings.Contains(err.Error(), "IncompleteSignature") {
		t.Errorf("with a request that is signed wrongly: error %v", err)
	}
}

func TestNames(t *testing.T) {
	start(t)
	for _, uri := range []string{"awskms:///", "awskms://host/alias/flags", "alias/flags",
		"awskms:///alias/flags?x=y", "awskms:///a b"} {
		if _, err := awskms.Open(t.Context(), uri); err == nil ||
			!strings.Contains(err.Error(), "awskms:///alias/NAME") {
			t.Errorf("%s: error %v", uri, err)
		}
	}
	if _, err := awskms.Open(t.Context(), "awskms:///alias/unknown"); err == nil ||
		!strings.Contains(err.Error(), "NotFoundException") {
		t.Errorf("a key that isn't there: error %v", err)
	}
}

// Whatever KMS answers, no signature comes out that isn't the key's.
func TestFaults(t *testing.T) {
	server := start(t)
	server.CreateKey(t, "flags")
	other := server.CreateKey(t, "other")
	otherKey, err := awskms.Open(t.Context(), "awskms:///"+other)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := otherKey.Sign(t.Context(), []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	set := func(member string, value any) func(map[string]any) {
		return func(answer map[string]any) { answer[member] = value }
	}
	for _, tt := range []struct {
		name, call string
		fault      kmstest.Fault
		want       string
	}{
		{"no access", "GetPublicKey", kmstest.Fault{Status: 400, Type: "AccessDeniedException"}, "needs kms:GetPublicKey and kms:Sign"},
		{"no access to sign", "Sign", kmstest.Fault{Status: 400, Type: "AccessDeniedException"}, "needs kms:GetPublicKey and kms:Sign"},
		{"disabled", "Sign", kmstest.Fault{Status: 400, Type: "DisabledException"}, "DisabledException"},
		{"broken", "Sign", kmstest.Fault{Status: 500, Type: "KMSInternalException"}, "KMSInternalException"},
		{"RSA", "GetPublicKey", kmstest.Fault{Change: set("KeySpec", "RSA_2048")}, "it is RSA_2048 for SIGN_VERIFY"},
		{"another curve", "GetPublicKey", kmstest.Fault{Change: set("KeySpec", "ECC_NIST_P384")}, "it is ECC_NIST_P384"},
		{"for encryption", "GetPublicKey", kmstest.Fault{Change: set("KeyUsage", "KEY_AGREEMENT")}, "for KEY_AGREEMENT"},
		{"no key", "GetPublicKey", kmstest.Fault{Change: set("PublicKey", []byte("garbage"))}, "other than a public key on P-256"},
		{"no member", "GetPublicKey", kmstest.Fault{Body: []byte("{}")}, "want a key of spec ECC_NIST_P256"},
		{"no JSON", "GetPublicKey", kmstest.Fault{Body: []byte("<html>")}, "opening awskms:///alias/flags: "},
		{"another key's signature", "Sign", kmstest.Fault{Change: set("Signature", foreign)}, "other than a signature by the key"},
		{"garbage", "Sign", kmstest.Fault{Change: set("Signature", []byte("garbage"))}, "other than a signature by the key"},
		{"no signature", "Sign", kmstest.Fault{Body: []byte("{}")}, "other than a signature by the key"},
		{"endless", "Sign", kmstest.Fault{Change: set("KeyId", strings.Repeat("x", 2<<20))}, "signing with awskms:///alias/flags: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("AWS_MAX_ATTEMPTS", "1")
			server.Break(func(call string) *kmstest.Fault {
				if call == tt.call {
					return &tt.fault
				}
				return nil
			})
			defer server.Break(nil)
			key, err := awskms.Open(t.Context(), "awskms:///alias/flags")
			if err == nil {
				_, err = key.Sign(t.Context(), []byte("message"))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// Who asks too often waits and asks again.
func TestThrottling(t *testing.T) {
	server := start(t)
	server.CreateKey(t, "flags")
	key, err := awskms.Open(t.Context(), "awskms:///alias/flags")
	if err != nil {
		t.Fatal(err)
	}
	left := 2
	server.Break(func(call string) *kmstest.Fault {
		if left--; left >= 0 {
			return &kmstest.Fault{Status: 400, Type: "ThrottlingException"}
		}
		return nil
	})
	if _, err := key.Sign(t.Context(), []byte("message")); err != nil {
		t.Error(err)
	}
	left = 1000
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := key.Sign(ctx, []byte("message")); err == nil {
		t.Error("a signature without KMS")
	}
}

// Keys that are all in KMS publish, and a root key of KMS signs roots.
func TestPublish(t *testing.T) {
	server := start(t)
	for _, name := range []string{"root", "online", "next"} {
		server.CreateKey(t, name)
	}
	dir := filepath.Join(t.TempDir(), "keys")
	opener := release.Opener{Remote: func(ctx context.Context, uri string) (release.Signer,
		error) {
		return awskms.Open(ctx, uri)
	}}
	_, err := opener.Init(t.Context(), release.InitOptions{
		Dir: dir, Environment: "production", RootKeys: []string{"awskms:///alias/root"},
		Online: "awskms:///alias/online",
	})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "online.key")); err != nil ||
		string(data) != "awskms:///alias/online\n" {
		t.Errorf("online.key holds %q, error %v", data, err)
	}
	store := filestore.New(filepath.Join(t.TempDir(), "published"))
	publish := func() {
		t.Helper()
		keys, err := opener.Keys(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = release.Publish(t.Context(),
			release.Options{Store: store, Keys: keys, Environment: "production", Payloads: []bundle.Payload{{
				Environment: "production", Namespace: "shop", Ruleset: evaluator.Ruleset{
					Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
					Flags: []evaluator.Flag{{Key: "on", Type: evaluator.KindBool,
						Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}}}},
				},
			}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish()
	// The old key is still there, so that the next publication bridges both.
	made, err := opener.Rotate(t.Context(), release.RotateOptions{
		Dir: dir, Online: "awskms:///alias/next", SignWith: []string{"awskms:///alias/root"},
	})
	if err != nil || !made.Complete() {
		t.Fatalf("rotated: %+v, error %v", made, err)
	}
	publish()
	if _, _, err := store.Get(t.Context(), "2.root.json", 1<<20); err != nil {
		t.Error(err)
	}
}
