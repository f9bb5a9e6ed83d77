// Package awskms signs with keys in AWS KMS, which never leave it. A [Key] is a
// [release.Signer] over one key with the spec ECC_NIST_P256 and the usage SIGN_VERIFY.
// Using it needs the permissions kms:GetPublicKey and kms:Sign.
package awskms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/bounded"
)

const (
	// Scheme is the prefix of the URIs of keys in KMS.
	Scheme = "awskms:///"
	// maxResponse is the most bytes that are read of a response. Responses have
	// a few hundred.
	maxResponse = 1 << 20
)

// A Key is a key in KMS. It implements [release.Signer] and is safe for concurrent
// use.
type Key struct {
	client *kms.Client
	id     string
	public *ecdsa.PublicKey
}

var _ release.Signer = (*Key)(nil)

// Open opens the key with the given URI: "awskms:///" followed by the key's ARN or
// ID, or by the ARN or name of an alias, as in awskms:///alias/flags. The region is
// that of the ARN, if there is one. Everything else comes from the AWS SDK's default
// configuration: the environment, the shared configuration files, the role of the
// machine. Open requests the public key from KMS.
func Open(ctx context.Context, uri string) (*Key, error) {
	id, ok := strings.CutPrefix(uri, Scheme)
	if !ok || id == "" || strings.ContainsAny(id, "?# \t\r\n") {
		return nil, fmt.Errorf("opening %s: the URI of a key in KMS is %sARN or %salias/NAME", uri, Scheme, Scheme)
	}
	var options []func(*config.LoadOptions) error
	if parsed, err := arn.Parse(id); err == nil {
		options = append(options, config.WithRegion(parsed.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("opening %s: configuring KMS: %w", uri, err)
	}
	if cfg.Region == "" {
		return nil, fmt.Errorf("opening %s: no region is configured: use the ARN of the key, or set AWS_REGION", uri)
	}
	client := kms.NewFromConfig(cfg, func(o *kms.Options) { o.HTTPClient = bounded.Client(o.HTTPClient, maxResponse) })
	return New(ctx, client, id)
}

// New opens the key with the given ID, ARN or alias. It requests the public key from
// KMS.
func New(ctx context.Context, client *kms.Client, id string) (*Key, error) {
	public, err := publicKey(ctx, client, id)
	if err != nil {
		return nil, fmt.Errorf("opening %s%s: %w", Scheme, id, err)
	}
	return &Key{client, id, public}, nil
}

func publicKey(ctx context.Context, client *kms.Client, id string) (*ecdsa.PublicKey, error) {
	out, err := client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &id})
	if err != nil {
		return nil, explain(err)
	}
	if out.KeySpec != types.KeySpecEccNistP256 || out.KeyUsage != types.KeyUsageTypeSignVerify {
		return nil, fmt.Errorf("want a key of spec ECC_NIST_P256 for SIGN_VERIFY; it is %s for %s", out.KeySpec,
			out.KeyUsage)
	}
	parsed, err := x509.ParsePKIXPublicKey(out.PublicKey)
	public, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("KMS returned something other than a public key on P-256")
	}
	return public, nil
}

// Public implements [release.Signer].
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign implements [release.Signer]. It sends KMS only the SHA-256 of message, and
// verifies the signature that KMS returns.
func (k *Key) Sign(ctx context.Context, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	out, err := k.client.Sign(ctx, &kms.SignInput{
		KeyId:            aws.String(k.id),
		Message:          digest[:],
		MessageType:      types.MessageTypeDigest,
		SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
	})
	if err != nil {
		return nil, fmt.Errorf("signing with %s%s: %w", Scheme, k.id, explain(err))
	}
	if !ecdsa.VerifyASN1(k.public, digest[:], out.Signature) {
		return nil, fmt.Errorf("signing with %s%s: KMS returned something other than a signature by the key",
			Scheme, k.id)
	}
	return out.Signature, nil
}

// explain adds the needed permissions to an error of KMS.
func explain(err error) error {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && strings.Contains(err.Error(), "AccessDenied") {
		return fmt.Errorf("%w (signing needs kms:GetPublicKey and kms:Sign for the key)", err)
	}
	return err
}
