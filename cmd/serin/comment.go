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
		Short: "Put a report on the pull request that a CI job runs for",
		Long: `Comment puts the Markdown of FILE ("-" is standard input) on the pull request, or
merge request, that the job runs for: one comment, which each run replaces.

On GitHub Actions it takes GITHUB_TOKEN, which needs the permission
"pull-requests: write". On GitLab it takes SERIN_GITLAB_TOKEN, a project access
token with scope "api".`,
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
				err = &hintedError{err, "on GitHub the job needs the permission \"pull-requests: write\", which pull requests from forks don't get"}
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
			return "", err
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
