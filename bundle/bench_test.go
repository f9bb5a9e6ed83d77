package bundle

import "testing"

// BenchmarkUpdate verifies a repository from memory: everything, and nothing
// new.
func BenchmarkUpdate(b *testing.B) {
	for _, c := range []struct {
		name string
		key  testKey
	}{{"ed25519", ed(0)}, {"ecdsa", p256()}} {
		r := newRepo()
		for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets} {
			r.rotate(role, c.key)
		}
		r.listHashes = true
		r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
		v := r.verifier(b)
		last, err := v.Update(b.Context(), r, nil, testNow)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/all", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Update(b.Context(), r, nil, testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/unchanged", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Update(b.Context(), r, last, testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
