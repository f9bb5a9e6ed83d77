package bundle

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"testing"
)

// TestSmallOrder calculates which points have small order, and shows what they are
// refused for: a signature that verifies for messages that nobody signed.
func TestSmallOrder(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	one := big.NewInt(1)
	d := mod(new(big.Int).Neg(mul(big.NewInt(121665), new(big.Int).ModInverse(big.NewInt(121666), p))))
	// double returns the y coordinate of twice a point, and the square of its x: on the
	// curve -x² + y² = 1 + dx²y², these are all that is needed.
	double := func(xx, y *big.Int) (*big.Int, *big.Int) {
		yy := mul(y, y)
		k := mul(d, mul(xx, yy))
		x2 := new(big.Int).ModInverse(mod(new(big.Int).Add(one, k)), p)
		y2 := new(big.Int).ModInverse(mod(new(big.Int).Sub(one, k)), p)
		return mul(mul(big.NewInt(4), mul(xx, yy)), mul(x2, x2)), mul(mod(new(big.Int).Add(yy, xx)), y2)
	}
	distinct := make(map[string]bool)
	for _, text := range smallOrder {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			t.Fatalf("%s: %v", text, err)
		}
		little := make([]byte, len(key))
		for i, b := range key {
			little[len(key)-1-i] = b
		}
		y := mod(new(big.Int).SetBytes(little))
		distinct[y.String()] = true
		yy := mul(y, y)
		xx := mul(mod(new(big.Int).Sub(yy, one)),
			new(big.Int).ModInverse(mod(new(big.Int).Add(mul(d, yy), one)), p))
		for range 3 {
			xx, y = double(xx, y)
		}
		if xx.Sign() != 0 || y.Cmp(one) != 0 {
			t.Errorf("%s: eight times that is not the identity", text)
		}
		for _, sign := range []byte{0, 0x80} {
			signed := append([]byte(nil), key...)
			signed[31] |= sign
			if !isSmallOrder(signed) {
				t.Errorf("%x isn't refused", signed)
			}
		}
	}
	if len(distinct) != 5 { // of 8 points: 1 and -1 have x = 0, and three have both signs
		t.Errorf("%d different coordinates", len(distinct))
	}
	if isSmallOrder(edPrivate(1).Public().(ed25519.PublicKey)) {
		t.Error("an ordinary key is refused")
	}

	identity := make([]byte, ed25519.PublicKeySize)
	identity[0] = 1
	forged := append(append([]byte(nil), identity...), make([]byte, 32)...)
	if !ed25519.Verify(identity, []byte("anything"), forged) {
		t.Fatal("the forgery doesn't verify even where the key isn't refused")
	}
	k := newTestKey("ed25519", "ed25519", hex.EncodeToString(identity), func([]byte) []byte { return forged })
	runScenarios(t, []scenario{
		{"a key of small order", nil, []step{first, {needing(k), Malformed, "1 1 1 1"}}},
	})
	r := newRepo()
	r.rotate(roleRoot, k)
	r.publish(roleRoot)
	_, err := NewVerifier(VerifierConfig{Root: r.objects["1.root.json"]})
	checkClass(t, err, Malformed)
}
