package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// unchanged returns an error if a file no longer has what was read from it, before: somebody
// else has written it in the meantime. A file that wasn't there has nothing.
func unchanged(name string, before []byte) error {
	now, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, before) {
		return &hintedError{fmt.Errorf("%s was changed by somebody else in the meantime", name),
			"nothing was overwritten: run the command again"}
	}
	return nil
}
