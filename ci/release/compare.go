package release

import (
	"encoding/hex"
	"maps"

	"github.com/serin-flags/serin/bundle"
)

// compare records in the report what differs from cur.
func (p *publisher) compare(cur *state) error {
	r := &p.report
	r.Previous, r.Revision = cur.versions().Targets.Version, cur.versions().Targets.Version
	if p.Renew {
		r.Content = contentHash(cur.payloads())
		return nil
	}
	r.Added, r.Changed, r.Removed = differences(cur.payloads(), p.hashes())
	r.Content = contentHash(p.hashes())
	r.Files = !maps.EqualFunc(p.further, cur.further(),
		func(f file, hash string) bool { return hex.EncodeToString(f.sha256[:]) == hash })
	var err error
	r.Formats, err = p.formats(cur)
	return err
}

// formats returns the namespaces whose format changes.
func (p *publisher) formats(cur *state) (changes []FormatChange, err error) {
	before := make(map[string]int)
	if cur.release != nil {
		for _, payload := range cur.release.Payloads() {
			label, err := bundle.ReadLabel(payload.Data)
			if err != nil {
				return nil, err
			}
			before[payload.Namespace] = label.Format
		}
	}
	for _, namespace := range sorted(p.files) {
		label, err := bundle.ReadLabel(p.files[namespace].data)
		if err != nil {
			return nil, err
		}
		was := before[namespace]
		if label.Format != max(was, 1) {
			changes = append(changes, FormatChange{namespace, was, label.Format, label.Features})
		}
	}
	return changes, nil
}

// hashes returns the SHA-256 of the payloads to publish, by namespace.
func (p *publisher) hashes() map[string]string {
	hashes := make(map[string]string)
	for namespace, file := range p.files {
		hashes[namespace] = hex.EncodeToString(file.sha256[:])
	}
	return hashes
}

// differences compares payloads by their hashes, which are given by namespace.
func differences(before, after map[string]string) (added, changed, removed []string) {
	for _, namespace := range sorted(after) {
		switch before[namespace] {
		case after[namespace]:
		case "":
			added = append(added, namespace)
		default:
			changed = append(changed, namespace)
		}
	}
	for _, namespace := range sorted(before) {
		if _, ok := after[namespace]; !ok {
			removed = append(removed, namespace)
		}
	}
	return added, changed, removed
}
