// Package sigv4test checks the signatures of requests to doubles of AWS services.
//
// It is for tests only.
package sigv4test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A Signer is who may sign requests to a double, and for what.
type Signer struct {
	Endpoint        string // the URL of the double, without a path
	Service, Region string
	Credentials     aws.Credentials
}

// Check returns an error if a request with this body isn't signed by the signer with Signature
// Version 4, or was signed more than 5 minutes ago. It signs the request again and compares.
func (s Signer) Check(r *http.Request, body []byte) error {
	sent := r.Header.Get("Authorization")
	_, list, ok := strings.Cut(sent, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !ok || err != nil || time.Since(when).Abs() > 5*time.Minute {
		return fmt.Errorf("not signed: %q", sent)
	}
	again, err := http.NewRequest(r.Method, s.Endpoint+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(list, ";") {
		if values := r.Header.Values(name); len(values) > 0 && name != "x-amz-date" {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	digest := sha256.Sum256(body)
	hash := hex.EncodeToString(digest[:])
	err = v4.NewSigner().SignHTTP(r.Context(), s.Credentials, again, hash, s.Service, s.Region, when)
	if err != nil {
		return err
	}
	if again.Header.Get("Authorization") != sent {
		return fmt.Errorf("signed otherwise: %q", sent)
	}
	return nil
}
