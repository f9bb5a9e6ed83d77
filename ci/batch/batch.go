// Package batch divides the hosts of a release into batches, which are released one after
// the other.
//
// Start at [Split]. Versions come from arguments ([Parse]), files with one host per line
// ([Lines]), and YAML or JSON ([Read]). A [Release] is written as text, JSON, an inventory
// for Ansible, or lists of hosts for a flag.
//
// The package is pure: it reads and writes no files. Its functions are safe for concurrent
// use.
package batch

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Version is what is released, and the hosts it is released to, in that order.
type Version struct {
	Name  string
	Hosts []string
}

// Options say how large batches are, and which versions come first.
type Options struct {
	// Size is the number of hosts in each batch after the first, at least 1. The last batch
	// of a version may have fewer. With Doubling it must be 0.
	Size int
	// First is the number of hosts in the first batch of each version, at least 1.
	First int
	// Doubling makes each batch twice as large as the one before.
	Doubling bool
	// Priority moves versions whose names contain it to the front, in their order. "" moves
	// none.
	Priority string
}

// A Release is versions in the order in which they are released.
type Release struct {
	Versions []Batches `json:"versions"`
}

// Batches are those of a version, in order. None is empty.
type Batches struct {
	Version string     `json:"version"`
	Batches [][]string `json:"batches"`
}

const (
	maxHost    = 255        // bytes of a host
	maxVersion = 200        // bytes of the name of a version
	maxHosts   = 10_000_000 // of all versions
)

// Split divides the hosts of each version into batches. The batches share memory with the
// versions. Split fails if a size isn't positive, if there are no versions, if a version
// has no hosts, a blank name or that of another one, and if a host is blank, contains what
// no host name or address does, or is twice in a version. Two versions may have the same
// host.
func Split(versions []Version, o Options) (Release, error) {
	if err := o.check(); err != nil {
		return Release{}, err
	}
	if err := check(versions); err != nil {
		return Release{}, err
	}
	var front, back []Batches
	for _, v := range versions {
		b := Batches{v.Name, o.split(v.Hosts)}
		if o.Priority != "" && strings.Contains(v.Name, o.Priority) {
			front = append(front, b)
		} else {
			back = append(back, b)
		}
	}
	return Release{append(front, back...)}, nil
}

func (o Options) check() error {
	switch {
	case o.Doubling && o.Size != 0:
		return errors.New("batches that double have no size: leave one of the two out")
	case !o.Doubling && o.Size < 1:
		return fmt.Errorf("the size of a batch must be at least 1, not %d", o.Size)
	case o.First < 1:
		return fmt.Errorf("the size of the first batch must be at least 1, not %d", o.First)
	}
	return nil
}

// split divides hosts, of which there is at least one.
func (o Options) split(hosts []string) [][]string {
	var batches [][]string
	for size := o.First; len(hosts) > 0; {
		n := min(size, len(hosts))
		batches = append(batches, hosts[:n:n])
		hosts = hosts[n:]
		if !o.Doubling {
			size = o.Size
		} else if size < maxHosts {
			size *= 2
		}
	}
	return batches
}

func check(versions []Version) error {
	if len(versions) == 0 {
		return errors.New("there are no versions and so no hosts")
	}
	names, total := make(map[string]bool, len(versions)), 0
	for _, v := range versions {
		if err := checkVersion(v.Name); err != nil {
			return err
		}
		if names[v.Name] {
			return fmt.Errorf("version %q appears twice: list all of its hosts together", v.Name)
		}
		names[v.Name] = true
		if total += len(v.Hosts); total > maxHosts {
			return fmt.Errorf("there are more than %d hosts", maxHosts)
		}
		if err := checkHosts(v); err != nil {
			return err
		}
	}
	return nil
}

func checkVersion(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("a version has no name: write VERSION=HOST,HOST")
	case len(name) > maxVersion:
		return fmt.Errorf("the name of a version is longer than %d bytes: %.40q…", maxVersion, name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name of version %q contains control characters", name)
	}
	return nil
}

func checkHosts(v Version) error {
	if len(v.Hosts) == 0 {
		return fmt.Errorf("version %q has no hosts", v.Name)
	}
	seen := make(map[string]int32, len(v.Hosts))
	for i, host := range v.Hosts {
		if err := checkHost(host); err != nil {
			return fmt.Errorf("host %d of version %q %w", i+1, v.Name, err)
		}
		if first, ok := seen[host]; ok {
			return fmt.Errorf("version %q has host %q twice: as host %d and host %d", v.Name, host, first, i+1)
		}
		seen[host] = int32(i + 1)
	}
	return nil
}

// checkHost reports what can't be the name or address of a host, in a sentence that starts
// with the host.
func checkHost(host string) error {
	if strings.TrimSpace(host) == "" {
		return errors.New("is blank: remove a comma, or fill the name in")
	}
	if len(host) > maxHost {
		return fmt.Errorf("is longer than %d bytes: %.40q…", maxHost, host)
	}
	for _, r := range host {
		switch {
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_:", r):
		case r < utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			return fmt.Errorf("is %q, and no name or address of a host contains %q", host, r)
		}
	}
	return nil
}
