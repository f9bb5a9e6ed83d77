package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/spf13/cobra"
)

// A statusRun is the flags of release without a verb.
type statusRun struct {
	sourceFlags
	from, svg string
	asJSON    bool
}

func releaseStatusCommand() *cobra.Command {
	var r statusRun
	cmd := &cobra.Command{
		Use:   "release FLAG",
		Short: "Show how far a release has got, or move it by hand",
		Long: `Release shows the share that a flag's release has, who is exposed, the next change
and when it can be at the earliest, what the guard said last, and the whole plan.
--from is the flag folder or, for what is published now, the URL of the environment;
only the folder has the guard's last evidence.`,
		Example: `  serin release search-index
  serin release search-index --from s3://flags/production --root keys/production/root.json
  serin release search-index --svg search-index.svg`,
		Args: oneWord("FLAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := r.read(cmd, args[0])
			if err != nil {
				return err
			}
			if r.svg != "" {
				if err := replaceFile(r.svg, plans.Chart(s.plan, s.line, s.now)); err != nil {
					return fmt.Errorf("writing the chart: %w", err)
				}
			}
			if r.asJSON {
				return writeJSON(cmd.OutOrStdout(), s.json())
			}
			return s.write(cmd.OutOrStdout())
		},
	}
	r.register(cmd)
	registerFrom(cmd, &r.from)
	cmd.Flags().StringVar(&r.svg, "svg", "", "draw the plan into this file")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "print JSON")
	return cmd
}

// A releaseStatus is how far a release has got.
type releaseStatus struct {
	now      time.Time
	plan     *ci.Plan
	line     ci.ReleaseLine
	last     *lastLook
	revision int64 // 0: a folder
}

// A lastLook is the newest evidence of a release.
type lastLook struct {
	Time     time.Time `json:"time"`
	Decision string    `json:"decision"`
	Reason   string    `json:"reason"`
	File     string    `json:"file"`
}

// read reads how far the release of a flag has got.
func (r *statusRun) read(cmd *cobra.Command, flag string) (*releaseStatus, error) {
	from, err := sourceOr(cmd, r.from)
	if err != nil {
		return nil, err
	}
	s := &releaseStatus{now: time.Now()}
	if published(from) {
		return s, r.pulled(cmd, s, from, flag)
	}
	e, err := loadEstate(from)
	if err != nil {
		return nil, err
	}
	if s.plan, err = findPlan(e, flag, r.env); err != nil {
		return nil, err
	}
	s.line = e.Releases().Get(s.plan)
	s.last, err = lastLookAt(from, s.plan)
	return s, err
}

// pulled reads into s what is published.
func (r *statusRun) pulled(cmd *cobra.Command, s *releaseStatus, url, flag string) error {
	p, err := r.inspect(cmd.Context(), url)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.state.Plans, func(p *ci.Plan) bool { return p.Flag == flag })
	if i < 0 {
		return fmt.Errorf("flag %q has no plan in what is published", flag)
	}
	s.plan, s.revision = p.state.Plans[i], p.found.Revision
	s.line = p.state.Lines.Get(s.plan)
	return nil
}

// lastLookAt returns the newest evidence about a plan in a flag folder, nil if there is none.
func lastLookAt(dir string, p *ci.Plan) (*lastLook, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening flag files: %w", err)
	}
	defer root.Close()
	r, err := plans.LastRecord(root.FS(), p)
	if r == nil || err != nil {
		return nil, err
	}
	return &lastLook{r.Time, r.Decision, r.Reason, filepath.Join(dir, r.File)}, nil
}

// write prints the status for people.
func (s *releaseStatus) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s: %s\n", s.plan.Flag, s.plan.Environment, s.standing())
	fmt.Fprintf(&b, "exposed: this share of those whom rule %q matches\n", s.plan.Rule)
	fmt.Fprintf(&b, "next:    %s\n", s.next())
	if s.last != nil {
		fmt.Fprintf(&b, "last:    %s at %s: %s\n         %s\n", s.last.Decision, when(s.last.Time), s.last.Reason,
			s.last.File)
	}
	b.WriteString("\n")
	stages := plans.Stages(s.plan, s.line, s.now)
	for i, stage := range stages {
		mark, at := "  ", ""
		switch {
		case stage.Cleared && (i+1 == len(stages) || !stages[i+1].Cleared):
			mark, at = "▸ ", when(stage.At)
		case stage.Cleared:
			mark = "✓ "
		case s.going():
			at = when(stage.At) + " at the earliest"
		}
		if stage.Approval {
			at = strings.TrimPrefix(at+", after an approval", ", ")
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s%-6v %s", mark, stage.Share, at), " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// going reports whether the plan goes on by itself.
func (s *releaseStatus) going() bool { return s.line.State == guard.Running }

// standing says how far the release has got.
func (s *releaseStatus) standing() string {
	text := fmt.Sprintf("%v get %q", s.line.Share, s.plan.Variant)
	if s.line.Count == 0 {
		return text + ", nothing is cleared yet"
	}
	text += fmt.Sprintf(" since %s", when(s.line.Since))
	if !s.going() {
		text += ", " + s.line.State.Words()
	}
	text += " (by " + cmp.Or(s.line.By, "?") + ")"
	if s.line.Why != "" {
		text += ": " + s.line.Why
	}
	return text
}

// next says what happens next.
func (s *releaseStatus) next() string {
	switch s.line.State {
	case guard.Held:
		return "nothing, until 'serin release resume " + s.plan.Flag + "'"
	case guard.RolledBack:
		return "nothing, until 'serin release resume " + s.plan.Flag + "', which begins again"
	case guard.Finished:
		if s.line.Share < s.plan.Steps[len(s.plan.Steps)-1].To {
			return "nothing, until 'serin release resume " + s.plan.Flag +
				"': steps were added after the plan was finished"
		}
		return "nothing: the plan is finished; replace the ramp by what it serves"
	}
	for _, stage := range plans.Stages(s.plan, s.line, s.now) {
		if stage.Cleared {
			continue
		}
		text := fmt.Sprintf("%v at %s at the earliest", stage.Share, when(stage.At))
		if left := stage.At.Sub(s.now).Round(time.Minute); left > 0 {
			text += fmt.Sprintf(" (in %s)", strings.TrimSuffix(left.String(), "0s"))
		} else {
			text = fmt.Sprintf("%v, as soon as the guard %q lets it pass", stage.Share, s.plan.Guard.Name)
		}
		if stage.Approval {
			text += ", after an approval: 'serin release approve " + s.plan.Flag + "'"
		}
		return text
	}
	return fmt.Sprintf("the guard %q watches it for %v, and then it is finished", s.plan.Guard.Name, s.plan.Guard.Watch)
}

// A releaseStatusJSON is a status as --json prints it.
type releaseStatusJSON struct {
	Flag        string      `json:"flag"`
	Environment string      `json:"environment"`
	Revision    int64       `json:"revision,omitempty"`
	Rule        string      `json:"rule"`
	Variant     string      `json:"variant"`
	Guard       string      `json:"guard"`
	State       string      `json:"state"`
	Share       string      `json:"share"`
	Since       time.Time   `json:"since,omitzero"`
	By          string      `json:"by,omitempty"`
	Why         string      `json:"why,omitempty"`
	Count       int64       `json:"count"`
	Next        string      `json:"next"`
	Last        *lastLook   `json:"last,omitempty"`
	Steps       []stageJSON `json:"steps"`
}

type stageJSON struct {
	Share    string    `json:"share"`
	Cleared  bool      `json:"cleared"`
	At       time.Time `json:"at,omitzero"`
	Approval bool      `json:"approval,omitempty"`
}

func (s *releaseStatus) json() releaseStatusJSON {
	l := s.line
	out := releaseStatusJSON{
		s.plan.Flag, s.plan.Environment, s.revision, s.plan.Rule, s.plan.Variant, s.plan.Guard.Name, string(l.State),
		l.Share.String(), l.Since, l.By, l.Why, l.Count, s.next(), s.last, nil,
	}
	for _, stage := range plans.Stages(s.plan, l, s.now) {
		out.Steps = append(out.Steps, stageJSON{stage.Share.String(), stage.Cleared, stage.At, stage.Approval})
	}
	return out
}
