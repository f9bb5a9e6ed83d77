package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"
)

func promoteCommand() *cobra.Command {
	var r editRun
	var audit string
	cmd := &cobra.Command{
		Use:   "promote FLAG SOURCE TARGET",
		Short: "Make a flag in one environment what it is in another",
		Long: `Promote makes FLAG in the environment TARGET what it is in the environment SOURCE, so
that everybody gets the same variant in both: it copies what the flag's file says for
SOURCE, with its style and comments, and the positions in flags.lock. Like 'serin
apply', it prints the changed lines and who gets a different value, and writes nothing
if the flags wouldn't pass 'serin check' any more.

Notes name the flags that it depends on and that differ between the two, and its
segments, which are the same in all environments. How far a guarded ramp has got isn't
copied: it starts from nothing.`,
		Example: `  serin promote new-cart staging production
  serin promote new-cart staging production --branch promote-new-cart --audit promotion.md`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usagef("promote takes a flag and two environments, such as 'serin promote new-cart staging production'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			key, source, target := args[0], args[1], args[2]
			title := fmt.Sprintf("promote %s from %s to %s", key, source, target)
			var p *edit.Promotion
			_, err := r.make(cmd, title, func(root *os.Root, dir string) (*edit.Result, error) {
				var err error
				if p, err = edit.Promote(root.FS(), dir, key, source, target); err != nil {
					return nil, err
				}
				p.Notes = append(p.Notes, promotionNotes(p, source, target)...)
				return p.Result, nil
			})
			if err != nil || audit == "" {
				return err
			}
			text, err := auditOf(cmd, p, title)
			if err != nil {
				return err
			}
			if err := replaceFile(audit, text); err != nil {
				return fmt.Errorf("writing %s: %w", audit, err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s\n", audit)
			return nil
		},
	}
	r.register(cmd)
	cmd.Flags().StringVar(&audit, "audit", "", "also write what changes, and for whom, to this `FILE` as Markdown")
	return cmd
}

// promotionNotes say what people should look at besides the flag.
func promotionNotes(p *edit.Promotion, source, target string) []string {
	var notes []string
	for _, key := range p.Prerequisites {
		notes = append(notes,
			fmt.Sprintf("it depends on flag %s, which differs between %s and %s", key, source, target))
	}
	if len(p.Segments) > 0 {
		notes = append(notes,
			fmt.Sprintf("its segments are the same in all environments: %s", strings.Join(p.Segments, ", ")))
	}
	return notes
}

// auditOf returns a promotion as Markdown.
func auditOf(cmd *cobra.Command, p *edit.Promotion, title string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", display.Markdown(strings.ToUpper(title[:1])+title[1:]))
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "- %s\n", display.Markdown(note))
	}
	if len(p.Notes) > 0 {
		b.WriteString("\n")
	}
	changes := fileChanges(p.Result)
	if len(changes) == 0 {
		b.WriteString("Nothing changes.\n")
		return b.Bytes(), nil
	}
	b.WriteString("## Changed lines\n\n")
	for _, c := range changes {
		fmt.Fprintf(&b, "%s\n\n", display.Fence(textDiff(c)))
	}
	b.WriteString("## Who changes\n\n")
	report, err := compareEstates(cmd.Context(), p.Old, p.New, nil)
	if err != nil {
		return nil, err
	}
	err = report.Markdown(&b)
	return b.Bytes(), err
}
