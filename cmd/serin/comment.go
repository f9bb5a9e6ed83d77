package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/serin-flags/serin/ci/comment"
	"github.com/spf13/cobra"
)

// maxReport is the most that comment reads, far above what a comment may have.
const maxReport = 16 << 20

func commentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "comment FILE",
		Short: "Post a report on the pull request of a CI job",
		Long: `Comment posts the Markdown of FILE ("-" is standard input) on the pull request or
merge request that the CI job runs for, as a single comment that each run replaces.

On GitHub Actions, it uses GITHUB_TOKEN, which needs the permission
"pull-requests: write". On GitLab, it uses SERIN_GITLAB_TOKEN, a project access
token with the scope "api".`,
		Example: `  serin diff git:origin/main flags --format markdown | serin comment -`,
		Args:    oneWord("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := readReport(cmd.InOrStdin(), args[0])
			if err != nil {
				return fmt.Errorf("reading the report: %w", err)
			}
			request, err := comment.FromEnvironment(os.Getenv)
			if err == nil {
				err = request.Put(cmd.Context(), report)
			}
			if errors.Is(err, comment.ErrForbidden) {
				err = &hintedError{err,
					"on GitHub the job needs the permission \"pull-requests: write\", which pull requests from forks don't get"}
			}
			return err
		},
	}
}

func readReport(stdin io.Reader, name string) (string, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", &hintedError{err, "write it first, as in: serin diff --format markdown > " + name}
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxReport+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxReport {
		return "", fmt.Errorf("%s is longer than %d MiB", name, maxReport>>20)
	}
	return string(data), nil
}
