package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk/s3source"
)

// maxPageBack is how many revisions before the newest a page reads at most. Each takes a request.
const maxPageBack = 1000

// comparer returns what compares two published revisions, by their numbers, and others with files,
// which may be nil.
func (o *serveOptions) comparer(files func(ctx context.Context, old, new string) (diff.Report, error),
) func(ctx context.Context, old, new string) (diff.Report, error) {
	return func(ctx context.Context, old, new string) (diff.Report, error) {
		a, errOld := parseRevision(old)
		b, errNew := parseRevision(new)
		if files != nil && a == 0 && b == 0 {
			return files(ctx, old, new)
		}
		for _, err := range []error{errOld, errNew} {
			if err != nil {
				return diff.Report{}, err
			}
		}
		return o.comparePublished(ctx, a, b)
	}
}

// parseRevision returns the number of a revision, 0 for "".
func parseRevision(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("a published revision is a number, such as 12, not %q", text)
	}
	return n, nil
}

// comparePublished compares two published revisions. 0 stands for the newest one and the one
// before the new one.
func (o *serveOptions) comparePublished(ctx context.Context, old, new int64) (diff.Report, error) {
	root, _, err := o.verifier()
	if err != nil {
		return diff.Report{}, err
	}
	source, err := s3source.FromURL(ctx, o.from)
	if err != nil {
		return diff.Report{}, err
	}
	d, err := release.ReadDifference(ctx, release.DifferenceOptions{Source: source, Root: root, Old: old, New: new,
		Limit: maxPageBack})
	if err != nil {
		return diff.Report{}, err
	}
	pair := diff.Pair{Environment: d.Environment}
	if pair.Old, pair.New, err = d.Decode(); err != nil {
		return diff.Report{}, err
	}
	report, err := diff.Compare(ctx, diff.Config{Pairs: []diff.Pair{pair}, Now: time.Now().Unix()})
	report.Old, report.New = fmt.Sprintf("revision %d", d.Old.Revision), fmt.Sprintf("revision %d", d.New.Revision)
	return report, err
}
