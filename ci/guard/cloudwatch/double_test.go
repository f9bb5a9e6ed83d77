package cloudwatch

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/serin-flags/serin/internal/awstest"
	"github.com/serin-flags/serin/internal/sigv4test"
)

const region = "eu-central-1"

// A double answers as CloudWatch does, in the protocol that the AWS SDK speaks with it, and
// accepts only requests that are signed as AWS wants them.
type double struct {
	url                      string
	accessKey, secret, token string

	mu     sync.Mutex
	calls  []string
	in     cbor.Map
	answer func(call string, in cbor.Map) (status int, body []byte)
	date   time.Time // zero: now
}

// startDouble starts a double and leads the AWS SDK to it.
func startDouble(t testing.TB) *double {
	d := &double{accessKey: "AKIA" + rand.Text(), secret: "secret-" + rand.Text(), token: "token-" + rand.Text()}
	server := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(server.Close)
	d.url = server.URL
	settings := awstest.Env("CLOUDWATCH", d.url, "us-east-1",
		aws.Credentials{AccessKeyID: d.accessKey, SecretAccessKey: d.secret, SessionToken: d.token})
	for _, setting := range append(settings, "AWS_MAX_ATTEMPTS=1") {
		name, value, _ := strings.Cut(setting, "=")
		if t, ok := t.(*testing.T); ok {
			t.Setenv(name, value)
		} else {
			os.Setenv(name, value) // a fuzz target, in which there is nothing else
		}
	}
	return d
}

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	call, ok := strings.CutPrefix(r.URL.Path, "/service/GraniteServiceVersion20100801/operation/")
	d.calls = append(d.calls, call)
	if !d.date.IsZero() {
		w.Header().Set("Date", d.date.UTC().Format(http.TimeFormat))
	}
	in, _ := cbor.Decode(body)
	d.in, _ = in.(cbor.Map)
	var status int
	var answer []byte
	switch {
	case err != nil || !ok || r.Method != http.MethodPost || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" ||
		d.in == nil:
		status, answer = refusal("SerializationException", "not a request")
	case d.signer().Check(r, body) != nil:
		_, answer = refusal("InvalidSignatureException", "signed otherwise")
		status = http.StatusForbidden
	default:
		status, answer = d.answer(call, d.in)
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.WriteHeader(status)
	w.Write(answer)
}

// signer returns who may sign requests.
func (d *double) signer() sigv4test.Signer {
	return sigv4test.Signer{Endpoint: d.url, Service: "monitoring", Region: region,
		Credentials: aws.Credentials{AccessKeyID: d.accessKey, SecretAccessKey: d.secret, SessionToken: d.token}}
}

func refusal(kind, message string) (int, []byte) {
	return http.StatusBadRequest, cbor.Encode(cbor.Map{"__type": cbor.String("com.amazonaws.cloudwatch#" + kind),
		"message": cbor.String(message)})
}

func ok(m cbor.Map) (int, []byte) { return http.StatusOK, cbor.Encode(m) }

// at returns a time as the protocol has it.
func at(t time.Time) cbor.Value { return &cbor.Tag{ID: 1, Value: cbor.Float64(t.Unix())} }

// result returns the result for an arm.
func result(arm, status string, start time.Time, values map[int]float64) cbor.Map {
	times, numbers := cbor.List{}, cbor.List{}
	for i := range 100 {
		if v, ok := values[i]; ok {
			times, numbers = append(times, at(start.Add(time.Duration(i)*time.Minute))),
				append(numbers, cbor.Float64(v))
		}
	}
	return cbor.Map{"Id": cbor.String(arm), "Label": cbor.String(arm), "StatusCode": cbor.String(status),
		"Timestamps": times, "Values": numbers}
}
