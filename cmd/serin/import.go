package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/abtestinggateway"
	"github.com/serin-flags/serin/ci/importer/configcat"
	"github.com/serin-flags/serin/ci/importer/eppo"
	"github.com/serin-flags/serin/ci/importer/featurevisor"
	"github.com/serin-flags/serin/ci/importer/flagd"
	"github.com/serin-flags/serin/ci/importer/flagsmith"
	"github.com/serin-flags/serin/ci/importer/flipt"
	"github.com/serin-flags/serin/ci/importer/gofeatureflag"
	"github.com/serin-flags/serin/ci/importer/growthbook"
	"github.com/serin-flags/serin/ci/importer/launchdarkly"
	"github.com/serin-flags/serin/ci/importer/posthog"
	"github.com/serin-flags/serin/ci/importer/split"
	"github.com/serin-flags/serin/ci/importer/unleash"
	"github.com/spf13/cobra"
)

// maxImport bounds the size of what is imported.
const maxImport = 256 << 20

// importers are the formats that import reads.
var importers = map[string]func([]byte, importer.Options) (*importer.Import, error){
	"abtestinggateway": abtestinggateway.Read,
	"configcat":        configcat.Read,
	"eppo":             eppo.Read,
	"featurevisor":     featurevisor.Read,
	"flagd":            flagd.Read,
	"flagd-legacy":     flagd.ReadLegacy,
	"flagsmith":        flagsmith.Read,
	"flipt":            flipt.Read,
	"gofeatureflag":    gofeatureflag.Read,
	"growthbook":       growthbook.Read,
	"launchdarkly":     launchdarkly.Read,
	"posthog":          posthog.Read,
	"split":            split.Read,
	"unleash":          unleash.Read,
}

// importOptions are the flags of import.
type importOptions struct {
	from, out, unit, verify string
	only                    []string
	source                  importer.Options
	overwrite, dryRun       bool
}

func importCommand() *cobra.Command {
	var o importOptions
	formats := slices.Sorted(maps.Keys(importers))
	var lines []string
	for some := range slices.Chunk(formats, 5) {
		lines = append(lines, strings.Join(some, ", "))
	}
	cmd := &cobra.Command{
		Use:   "import FORMAT",
		Short: "Move in from another flag system",
		Long: `Import reads the flags of another system and writes a flag folder in which every user
keeps their variant: flags, segments, lists, context.yaml with the attributes' types,
the lock file, and import.md, which lists each flag as carried over, approximated or
refused, with its place in the source and the reason.

The formats are ` + strings.Join(lines, ",\n") + `.

Import may run again: files that people have edited since stay as they are, unless
--overwrite is set. With --verify, it writes nothing, but replays the decisions that
the other system recorded, as JSON lines such as
{"flag": "new-checkout", "context": {"userId": "u-1"}, "value": true}
with the flags in the folder --out, and prints how many agree.`,
		Example: `  serin import unleash --from features.json --out flags
  serin import unleash --from https://unleash.example.com/api/client/features --only checkout
  serin import unleash --out flags --verify decisions.jsonl`,
		Args:      oneWord("FORMAT"),
		ValidArgs: formats,
		RunE: func(cmd *cobra.Command, args []string) error {
			read := importers[args[0]]
			switch {
			case read == nil:
				return usagef("unknown format %q; the formats are %s", args[0], strings.Join(formats, ", "))
			case o.verify != "":
				return o.replay(cmd)
			case o.from == "":
				return usagef("--from is missing: the file or the URL to import")
			}
			return o.run(cmd, read)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "the `FILE` or URL to import; - for standard input")
	f.StringVar(&o.out, "out", defaultEstate, "the flag folder to write to")
	f.StringSliceVar(&o.only, "only", nil, "import this flag, and those that it depends on; may repeat")
	f.StringVar(&o.source.Environment, "env", "",
		"the environment of the source to import; with --verify, of the folder")
	f.StringVar(&o.unit, "unit", "", "the attribute that identifies users here (default: its name in the source)")
	f.StringVar(&o.source.Flag, "flag", "", "the key of the flag to create, for formats without keys (default: route)")
	f.StringVar(&o.verify, "verify", "", "a `FILE` of decisions to replay; - for standard input")
	f.BoolVar(&o.overwrite, "overwrite", false, "also replace files that people have edited")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the report, and write nothing")
	return cmd
}

// run imports.
func (o *importOptions) run(cmd *cobra.Command, read func([]byte, importer.Options) (*importer.Import, error)) error {
	if published(o.out) {
		return usagef("%s is a URL: name the folder to write the flag files to", o.out)
	}
	data, err := fetchSource(cmd.Context(), o.from, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("reading %s: %w", o.from, err)
	}
	imp, err := read(data, o.source)
	if err != nil {
		return fmt.Errorf("%s: %w", o.from, err)
	}
	if len(o.only) > 0 {
		if err := imp.Keep(o.only); err != nil {
			return fmt.Errorf("%s: %w", o.from, err)
		}
	}
	if o.unit != "" {
		imp.RenameUnit(o.unit)
	}
	fsys, done, err := folder(o.out)
	if err != nil {
		return err
	}
	defer done()
	plan, err := importer.Make(fsys, o.out, imp, o.overwrite)
	if err != nil {
		return hintEstate(o.out, err)
	}
	if o.dryRun {
		_, err := cmd.OutOrStdout().Write(plan.Report)
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Files)) {
		if err := replaceFile(filepath.Join(o.out, filepath.FromSlash(name)), plan.Files[name]); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return o.summary(cmd, plan)
}

// summary prints what has become of the flags.
func (o *importOptions) summary(cmd *cobra.Command, plan *importer.Plan) error {
	stderr := cmd.ErrOrStderr()
	for _, name := range plan.Kept {
		fmt.Fprintf(stderr, "kept %s, which has been edited\n", filepath.Join(o.out, name))
	}
	for _, name := range plan.Stale {
		fmt.Fprintf(stderr, "note: %s is no longer in the source\n", filepath.Join(o.out, name))
	}
	for _, r := range plan.Import.Refused {
		fmt.Fprintf(stderr, "refused %s: %v\n", r.Flag, &r.Refusal)
	}
	exact, approximate := plan.Import.Counts()
	fmt.Fprintf(cmd.OutOrStdout(), "%d carried over, %d approximated, %d refused: see %s\n",
		exact, approximate, len(plan.Import.Refused), filepath.Join(o.out, importer.ReportFile))
	if exact+approximate == 0 {
		return errors.New("no flag could be carried over")
	}
	return nil
}

// replay verifies recorded decisions.
func (o *importOptions) replay(cmd *cobra.Command) error {
	estate, err := loadEstate(o.out)
	if err != nil {
		return err
	}
	in := io.Reader(cmd.InOrStdin())
	if o.verify != "-" {
		f, err := os.Open(o.verify)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	result, err := importer.Verify(estate, o.source.Environment, in)
	if err != nil {
		return fmt.Errorf("%s: %w", o.verify, err)
	}
	if err := result.Write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if result.Different > 0 {
		return fmt.Errorf("%s of %d differ", count(result.Different, "decision"), result.Same+result.Different)
	}
	return nil
}

// folder returns the flag folder, or an empty one if there is none.
func folder(dir string) (fsys fs.FS, done func(), err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return embed.FS{}, func() {}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	return root.FS(), func() { root.Close() }, nil
}

// fetchSource reads a file, standard input or what a URL answers, up to 256 MiB.
func fetchSource(ctx context.Context, from string, stdin io.Reader) ([]byte, error) {
	var in io.Reader
	size := int64(0) // if it is known
	switch {
	case from == "-":
		in = stdin
	case strings.HasPrefix(from, "https://"), strings.HasPrefix(from, "http://"):
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		body, err := get(ctx, from)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		in = body
	default:
		f, err := os.Open(from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		in = f
	}
	var data bytes.Buffer
	data.Grow(int(min(size, maxImport)) + bytes.MinRead)
	_, err := data.ReadFrom(io.LimitReader(in, maxImport+1))
	if err == nil && data.Len() > maxImport {
		err = fmt.Errorf("it is larger than %d MiB", maxImport>>20)
	}
	if data.Len() > largeImport {
		debug.SetGCPercent(largeGC)
	}
	return data.Bytes(), err
}

// Of a large source, most stays in memory until the end. The collector is told to leave less
// garbage beside it, at the price of some time.
const (
	largeImport = 16 << 20
	largeGC     = 30
)

// get asks a URL. A key for it comes from SERIN_IMPORT_AUTHORIZATION, so that it isn't in the
// list of processes.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if key := os.Getenv("SERIN_IMPORT_AUTHORIZATION"); key != "" {
		request.Header.Set("Authorization", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, &hintedError{fmt.Errorf("the server answered %s", response.Status),
			"if it needs a key, put the Authorization header into SERIN_IMPORT_AUTHORIZATION"}
	}
	return response.Body, nil
}
