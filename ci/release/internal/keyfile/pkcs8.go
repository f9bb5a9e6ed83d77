package keyfile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// An encrypted private key is an EncryptedPrivateKeyInfo of PKCS #8 with the scheme
// PBES2 (RFC 8018): PBKDF2 derives a key from the passphrase, and AES in CBC mode
// encrypts with it. OpenSSL reads and writes the same.

const (
	// iterations makes guessing a passphrase slow. Each use of a passphrase takes
	// about a tenth of a second.
	iterations = 600_000
	// maxIterations and maxSalt limit the work that a file can ask for to seconds.
	maxIterations = 5_000_000
	maxSalt       = 1024
	saltSize      = 16
)

// ErrPassphrase reports that a private key can't be decrypted. A wrong passphrase is
// indistinguishable from a damaged file.
var ErrPassphrase = errors.New("the passphrase is wrong, or the file is damaged")

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidHMACSHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}
	oidAES128     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// Encrypt encrypts a private key in PKCS #8 with a passphrase.
func Encrypt(der, passphrase []byte) ([]byte, error) {
	salt, iv := make([]byte, saltSize), make([]byte, aes.BlockSize)
	rand.Read(salt) // it never fails
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, string(passphrase), salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize
	data := append(bytes.Clone(der), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	kdf, err := algorithm(oidPBKDF2, pbkdf2Parameters{
		Salt: salt, Iterations: iterations,
		PRF: pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue},
	})
	if err != nil {
		return nil, err
	}
	scheme, err := algorithm(oidAES256, iv)
	if err != nil {
		return nil, err
	}
	outer, err := algorithm(oidPBES2, pbes2{kdf, scheme})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encryptedKey{outer, data})
}

// algorithm returns the identifier of an algorithm with its parameters.
func algorithm(oid asn1.ObjectIdentifier, parameters any) (pkix.AlgorithmIdentifier, error) {
	encoded, err := asn1.Marshal(parameters)
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: encoded}}, err
}

// Decrypt returns the private key in PKCS #8 that is encrypted in der. It never takes
// more than a few seconds, whatever der asks for. The error is [ErrPassphrase]
// if the passphrase turns out to be wrong.
func Decrypt(der, passphrase []byte) ([]byte, error) {
	var outer encryptedKey
	var scheme pbes2
	var kdf pbkdf2Parameters
	var iv []byte
	if err := unmarshal(der, &outer); err != nil {
		return nil, err
	}
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, errors.New("the key's encryption scheme isn't PBES2")
	}
	if err := unmarshal(outer.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	if !scheme.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, errors.New("the key derivation function isn't PBKDF2")
	}
	if err := unmarshal(scheme.KDF.Parameters.FullBytes, &kdf); err != nil {
		return nil, err
	}
	if err := unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, err
	}
	block, err := kdf.block(scheme.Cipher.Algorithm, passphrase)
	if err != nil {
		return nil, err
	}
	if len(iv) != aes.BlockSize || len(outer.Data) == 0 || len(outer.Data)%aes.BlockSize != 0 {
		return nil, ErrPassphrase
	}
	data := bytes.Clone(outer.Data)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	padding := int(data[len(data)-1])
	if padding < 1 || padding > aes.BlockSize ||
		!bytes.Equal(data[len(data)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, ErrPassphrase
	}
	return data[:len(data)-padding], nil
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil || len(rest) > 0 {
		return errors.New("the encrypted key is malformed")
	}
	return nil
}

// block returns the cipher for the parameters and a passphrase.
func (p pbkdf2Parameters) block(scheme asn1.ObjectIdentifier, passphrase []byte) (cipher.Block, error) {
	size := 32
	switch {
	case scheme.Equal(oidAES256):
	case scheme.Equal(oidAES128):
		size = 16
	default:
		return nil, errors.New("the key's cipher is neither AES-128 nor AES-256 in CBC mode")
	}
	prf := sha1.New // the default
	switch oid := p.PRF.Algorithm; {
	case len(oid) == 0, oid.Equal(oidHMACSHA1):
	case oid.Equal(oidHMACSHA256):
		prf = sha256.New
	case oid.Equal(oidHMACSHA512):
		prf = sha512.New
	default:
		return nil, errors.New("the key's hash is not SHA-1, SHA-256 or SHA-512")
	}
	if p.Iterations < 1 || p.Iterations > maxIterations || len(p.Salt) > maxSalt ||
		p.KeyLength != 0 && p.KeyLength != size {
		return nil, fmt.Errorf("the key asks for more than %d iterations, or has invalid parameters", maxIterations)
	}
	key, err := pbkdf2.Key(prf, string(passphrase), p.Salt, p.Iterations, size)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}
