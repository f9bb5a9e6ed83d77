package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// tolerance is how far a share of checkUsers users may be off, in points of a
// percentage: four standard deviations where it is 50 %. Nothing here is random,
// so what has passed once always passes.
const (
	tolerance  = 2
	checkUsers = 10_000
)

// Check asks clients, by the names of their systems, about every flag of an
// estate, and returns what is wrong with their answers.
func Check(e *Estate, clients map[string]Client) error {
	var errs []error
	for name, c := range clients {
		for i := range e.Flags {
			if err := checkFlag(&e.Flags[i], c); err != nil {
				errs = append(errs, fmt.Errorf("%s: flag %s: %w", name, e.Flags[i].Key, err))
			}
		}
	}
	return errors.Join(errs...)
}

func checkFlag(f *Flag, c Client) error {
	if len(f.Rules) > 0 {
		return checkRules(f, c)
	}
	listed := make(map[string]bool, len(f.IDs))
	for _, id := range f.IDs {
		listed[id] = true
	}
	var asked, on int // of users who are not listed
	for _, u := range Users(checkUsers) {
		got := c.Bool(f.Key, &u)
		answer := f.Answer(&u, listed[u.ID])
		switch {
		case answer.True == 100 && !got, answer.True == 0 && got:
			return fmt.Errorf("%v for %s", got, u.ID)
		case answer.True == 0 || answer.True == 100:
			continue
		}
		asked++
		if got {
			on++
		}
	}
	return checkShare("true", on, asked, f.Percent)
}

func checkRules(f *Flag, c Client) error {
	counts := make(map[string]int)
	matched := 0
	for _, u := range EvenUsers(f, checkUsers) {
		got := c.Text(f.Key, &u)
		if err := checkText(f, &u, got); err != nil {
			return err
		}
		if got != "off" {
			matched++
			counts[got]++
		}
	}
	for i, v := range Variants {
		if err := checkShare(v, counts[v], matched, Weights[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkText checks the answer of a flag with rules, as far as targeting decides.
func checkText(f *Flag, u *User, got string) error {
	off := f.Answer(u, false) == Answer{}
	if off != (got == "off") || !off && !slices.Contains(Variants[:], got) {
		return fmt.Errorf("%q for %+v, who matches rule %d (-1: none)", got, *u, f.Rule(u))
	}
	return nil
}

func checkShare(what string, n, of, percent int) error {
	if of == 0 {
		return nil
	}
	if share := 100 * float64(n) / float64(of); math.Abs(share-float64(percent)) > tolerance {
		return fmt.Errorf("%q for %.1f%% of users, not %d%%", what, share, percent)
	}
	return nil
}

// CheckAll asks clients for all flags of an estate at once, for some users, and
// one by one for the first of them.
func CheckAll(e *Estate, clients map[string]Client) error {
	var errs []error
	for name, c := range clients {
		if err := checkAll(e, c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func checkAll(e *Estate, c Client) error {
	keys := e.Keys()
	for i, u := range Users(10) {
		answers := c.All(keys, &u)
		for k := range e.Flags {
			f := &e.Flags[k]
			if err := checkText(f, &u, answers[f.Key]); err != nil {
				return fmt.Errorf("flag %s of all: %w", f.Key, err)
			}
			if one := c.Text(f.Key, &u); i == 0 && one != answers[f.Key] {
				return fmt.Errorf("flag %s: %q alone, and %q of all for %s", f.Key, one, answers[f.Key], u.ID)
			}
		}
	}
	return nil
}
