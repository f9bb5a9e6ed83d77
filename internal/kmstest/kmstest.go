// Package kmstest gives a test a double of AWS KMS: an HTTP server that knows the two
// calls GetPublicKey and Sign of its protocol, with real P-256 keys inside, and
// accepts only requests that are signed as AWS wants them. It can be made to fail.
//
// It is for tests only.
package kmstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/serin-flags/serin/internal/awstest"
	"github.com/serin-flags/serin/internal/sigv4test"
)

// Region is the AWS region that keys are in.
const Region = "eu-central-1"

// A Fault is an answer that isn't the right one.
type Fault struct {
	Status int    // 0: 200
	Type   string // of an error, such as "AccessDeniedException"
	// Body, if not nil, is the whole answer.
	Body []byte
	// Change, if not nil, changes the right answer's members.
	Change func(answer map[string]any)
}

// A Server is a double of KMS. It may be used by any number of goroutines.
type Server struct {
	Endpoint             string
	accessKey, secretKey string

	mu    sync.Mutex
	keys  map[string]*ecdsa.PrivateKey // by ARN
	names map[string]string            // ARNs by alias
	fault func(call string) *Fault
	calls []string
}

// signer returns who may sign requests.
func (s *Server) signer() sigv4test.Signer {
	return sigv4test.Signer{Endpoint: s.Endpoint, Service: "kms", Region: Region,
		Credentials: aws.Credentials{AccessKeyID: s.accessKey, SecretAccessKey: s.secretKey}}
}

// Start starts a server that ends with its test.
func Start(t testing.TB) *Server {
	s := &Server{
		accessKey: rand.Text(), secretKey: rand.Text(),
		keys: make(map[string]*ecdsa.PrivateKey), names: make(map[string]string),
	}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.Endpoint = server.URL
	return s
}

// Env returns what a process needs in its environment to be led to s, in the form of
// os.Environ.
func (s *Server) Env() []string {
	return awstest.Env("KMS", s.Endpoint, Region,
		aws.Credentials{AccessKeyID: s.accessKey, SecretAccessKey: s.secretKey})
}

// Accept makes requests with another account's keys be accepted, which other servers
// of the test have too.
func (s *Server) Accept(accessKey, secretKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accessKey, s.secretKey = accessKey, secretKey
}

// CreateKey makes a key, called alias/NAME as well, and returns its ARN.
func (s *Server) CreateKey(t testing.TB, name string) (arn string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn = fmt.Sprintf("arn:aws:kms:%s:111122223333:key/%s", Region, strings.ToLower(rand.Text()))
	s.keys[arn], s.names["alias/"+name] = key, arn
	return arn
}

// Break has fault decide about each call, "GetPublicKey" or "Sign". Nil: as it
// should be.
func (s *Server) Break(fault func(call string) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls returns the names of the calls so far.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

type request struct {
	KeyID            string `json:"KeyId"`
	Message          []byte
	MessageType      string
	SigningAlgorithm string
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	call, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	s.calls = append(s.calls, call)
	var fault *Fault
	if s.fault != nil {
		fault = s.fault(call)
	}
	var in request
	switch {
	case fault != nil && fault.Body != nil:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(max(fault.Status, 200))
		w.Write(fault.Body)
	case fault != nil && fault.Type != "":
		refuse(w, fault.Status, fault.Type)
	case err != nil || !ok || r.Method != http.MethodPost ||
		r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		refuse(w, http.StatusBadRequest, "SerializationException")
	case s.signer().Check(r, body) != nil:
		refuse(w, http.StatusBadRequest, "IncompleteSignatureException")
	case json.Unmarshal(body, &in) != nil:
		refuse(w, http.StatusBadRequest, "SerializationException")
	default:
		s.answer(w, call, in, fault)
	}
}

func (s *Server) answer(w http.ResponseWriter, call string, in request, fault *Fault) {
	arn := in.KeyID
	if named, ok := s.names[in.KeyID]; ok {
		arn = named
	}
	key, ok := s.keys[arn]
	if !ok {
		refuse(w, http.StatusBadRequest, "NotFoundException")
		return
	}
	answer := map[string]any{"KeyId": arn}
	var err error
	switch call {
	case "GetPublicKey":
		answer["KeySpec"], answer["KeyUsage"], answer["SigningAlgorithms"] = "ECC_NIST_P256", "SIGN_VERIFY",
			[]string{"ECDSA_SHA_256"}
		answer["PublicKey"], err = x509.MarshalPKIXPublicKey(key.Public())
	case "Sign":
		if in.MessageType != "DIGEST" || in.SigningAlgorithm != "ECDSA_SHA_256" || len(in.Message) != sha256.Size {
			refuse(w, http.StatusBadRequest, "ValidationException")
			return
		}
		answer["SigningAlgorithm"] = in.SigningAlgorithm
		answer["Signature"], err = ecdsa.SignASN1(rand.Reader, key, in.Message)
	default:
		refuse(w, http.StatusBadRequest, "UnknownOperationException")
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "KMSInternalException")
		return
	}
	if fault != nil && fault.Change != nil {
		fault.Change(answer)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(answer) // the client may be gone
}

func refuse(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":%q,"message":"as the test wants it"}`, kind)
}
