package s3client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A Problem is an error of the AWS SDK for people: its text is one sentence that starts
// with the cause and ends with the way out. It wraps the SDK's error.
type Problem struct {
	text string
	err  error
}

// NewProblem returns a Problem with that text, which wraps err.
func NewProblem(text string, err error) *Problem { return &Problem{text, err} }

// Error returns the sentence.
func (p *Problem) Error() string { return p.text }

// Unwrap returns the SDK's error.
func (p *Problem) Unwrap() error { return p.err }

// Detail returns the text of the SDK's error.
func (p *Problem) Detail() string { return p.err.Error() }

// Explain returns a [*Problem] for an error of a request that client made to a bucket.
func Explain(err error, client *s3.Client, bucket string) error {
	o := client.Options()
	at := place{bucket: bucket, region: o.Region, server: "Amazon S3", now: time.Now()}
	if o.BaseEndpoint != nil {
		at.server = *o.BaseEndpoint
	}
	return &Problem{at.explain(err), err}
}

// A place is where a request went.
type place struct {
	bucket, region, server string
	now                    time.Time
}

func (p place) explain(err error) string {
	var api smithy.APIError
	response := responseOf(err)
	switch text := err.Error(); {
	case strings.Contains(text, "get identity: "):
		return noCredentials(err)
	case isPage(response):
		return p.explainStatus(response)
	case errors.As(err, &api):
		if text := p.explainCode(api, response); text != "" {
			return text
		}
	}
	if text := p.explainNetwork(err); text != "" {
		return text
	}
	if api != nil && !invented(api.ErrorCode(), response) {
		return fmt.Sprintf("%s answered %s: %s",
			p.server, short(api.ErrorCode()), short(cmp.Or(api.ErrorMessage(), "no message")))
	}
	if text := p.explainStatus(response); text != "" {
		return text
	}
	return fmt.Sprintf("the request to %s failed: %v", p.server, err)
}

// invented reports whether a code is what the AWS SDK makes of a response without one.
func invented(code string, response *http.Response) bool {
	return code == "" || code == "UnknownError" ||
		response != nil && code == strings.ReplaceAll(http.StatusText(response.StatusCode), " ", "")
}

// explainCode explains what a server answered, "" if it is nothing known. The response may
// be nil.
func (p place) explainCode(api smithy.APIError, response *http.Response) string {
	switch api.ErrorCode() {
	case "NoSuchBucket":
		return fmt.Sprintf("the bucket %q doesn't exist at %s: create it, or correct the URL", p.bucket, p.server)
	case "InvalidBucketName":
		return fmt.Sprintf("%q can't be the name of a bucket: correct the URL, s3://BUCKET/PREFIX", p.bucket)
	case "InvalidAccessKeyId", "InvalidAccessKey", "XAdminUserNotFound":
		return fmt.Sprintf("%s doesn't know the access key: check AWS_ACCESS_KEY_ID, or the profile that AWS_PROFILE names",
			p.server)
	case "SignatureDoesNotMatch":
		return "the secret key isn't that of the access key: check AWS_SECRET_ACCESS_KEY for missing characters, " +
			"quotes and spaces"
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return "the credentials have expired: log in again ('aws sso login'), or get a new AWS_SESSION_TOKEN"
	case "InvalidToken", "InvalidTokenId", "UnrecognizedClientException", "InvalidClientTokenId":
		return fmt.Sprintf("%s doesn't accept the session token: AWS_SESSION_TOKEN must come from the same login as "+
			"AWS_ACCESS_KEY_ID, and must be unset for permanent keys", p.server)
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem":
		return p.denied()
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "IllegalLocationConstraintException":
		return p.wrongRegion(response)
	case "RequestTimeTooSkewed":
		return p.skewed(response)
	case "NotImplemented":
		return fmt.Sprintf("%s lacks a feature that this needs (%s): use a server that supports conditional writes",
			p.server, short(cmp.Or(api.ErrorMessage(), "NotImplemented")))
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling":
		return fmt.Sprintf("%s is overloaded or failed (%s): try again later", p.server, api.ErrorCode())
	case "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge":
		return fmt.Sprintf("%s has no room (%s): free space, or raise the quota of the bucket %q",
			p.server, api.ErrorCode(), p.bucket)
	}
	return ""
}

func (p place) denied() string {
	return fmt.Sprintf("permission for the bucket %q is missing: reading needs s3:GetObject for the objects and "+
		"s3:ListBucket for the bucket, publishing also s3:PutObject, and removing s3:DeleteObject", p.bucket)
}

func (p place) wrongRegion(response *http.Response) string {
	where := "another region than"
	if response != nil && response.Header.Get("X-Amz-Bucket-Region") != "" {
		where = "the region " + response.Header.Get("X-Amz-Bucket-Region") + ", not in"
	}
	return fmt.Sprintf("the bucket %q is in %s %s: set AWS_REGION, or add ?region= to the URL",
		p.bucket, where, p.region)
}

func (p place) skewed(response *http.Response) string {
	ours, theirs := p.now.UTC().Format(http.TimeFormat), "something else"
	if response != nil && response.Header.Get("Date") != "" {
		theirs = response.Header.Get("Date")
	}
	return fmt.Sprintf("this machine's clock says %s, and that of %s says %s: correct the one that is wrong",
		ours, p.server, theirs)
}

// explainNetwork explains why there was no answer, "" if it is nothing known.
func (p place) explainNetwork(err error) string {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, context.Canceled):
		return "the request was canceled"
	case errors.As(err, &dns):
		return fmt.Sprintf("there is no host %q: check the endpoint (AWS_ENDPOINT_URL_S3), the region %q, and the network",
			dns.Name, p.region)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s: start the server, or correct the endpoint (AWS_ENDPOINT_URL_S3)",
			p.server)
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Sprintf("%s doesn't speak TLS: write http:// in the endpoint, not https://", p.server)
	case errors.As(err, &unverified), errors.As(err, &unknown):
		return fmt.Sprintf("the certificate of %s isn't trusted: set AWS_CA_BUNDLE to the file of the CA that issued it",
			p.server)
	case timedOut(err):
		return fmt.Sprintf("%s hasn't answered within %v: check the endpoint (AWS_ENDPOINT_URL_S3), proxies and firewalls",
			p.server, RequestTimeout)
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("%s closed the connection: check the endpoint (AWS_ENDPOINT_URL_S3), proxies and firewalls",
			p.server)
	}
	return ""
}

// explainStatus explains a response without a code of S3. It may be nil.
func (p place) explainStatus(response *http.Response) string {
	switch {
	case response == nil:
		return ""
	case isPage(response):
		return fmt.Sprintf("%s answers with an HTML page, so it isn't an S3 server: correct the endpoint (AWS_ENDPOINT_URL_S3)",
			p.server)
	case response.StatusCode == http.StatusForbidden, response.StatusCode == http.StatusUnauthorized:
		return p.denied()
	case response.StatusCode == http.StatusMovedPermanently, response.StatusCode == http.StatusTemporaryRedirect:
		return p.wrongRegion(response)
	}
	return fmt.Sprintf("%s answered with HTTP status %d, and not as S3 does: check the endpoint (AWS_ENDPOINT_URL_S3)",
		p.server, response.StatusCode)
}

// isPage reports whether a response is a page for people.
func isPage(response *http.Response) bool {
	return response != nil && strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")
}

// noCredentials explains why there are no credentials to sign a request with.
func noCredentials(err error) string {
	var api smithy.APIError
	text := err.Error()
	switch {
	case errors.As(err, &api):
		return fmt.Sprintf("the role can't be assumed (%s): check AWS_ROLE_ARN or the profile, and the trust policy "+
			"of the role", api.ErrorCode())
	case strings.Contains(strings.ToLower(text), "sso"):
		return "the SSO session has expired or is missing: run 'aws sso login'"
	case strings.Contains(text, "static credentials are empty"):
		return "the credentials are incomplete: set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
	return "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give " +
		"the machine a role"
}

// short cuts the words of a server.
func short(text string) string {
	const most = 200 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// responseOf returns the response that an error carries, or nil.
func responseOf(err error) *http.Response {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.HTTPStatusCode() == 0 {
		return nil
	}
	return response.Response.Response
}

// timedOut reports whether a request took too long.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// patience limits how often a request that took too long is repeated. Other failures,
// which take no time, are repeated as the AWS SDK is configured to.
type patience struct{ aws.RetryerV2 }

// maxTries is how often a request that takes too long is made.
const maxTries = 2

func (p patience) RetryDelay(attempt int, err error) (time.Duration, error) {
	if attempt >= maxTries && timedOut(err) {
		return 0, err
	}
	return p.RetryerV2.RetryDelay(attempt, err)
}
