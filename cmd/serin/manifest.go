package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

// manifestSchema is where OpenFeature publishes the schema of manifests.
const manifestSchema = "https://raw.githubusercontent.com/open-feature/cli/main/schema/v0/flag-manifest.json"

func manifestCommand() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "manifest [DIR]",
		Short: "Print the OpenFeature manifest of the flags",
		Long: `Manifest prints the flags of DIR (by default "flags") as a manifest of the OpenFeature
CLI: key, type, default and description of each. 'openfeature generate' makes typed
access of it in several languages. The default is the value that the flag serves when
no rule matches, in environment E or, without --env, in the flag itself.`,
		Example: `  serin manifest flags > flags.json
  openfeature generate react --manifest flags.json`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estate, err := loadEstate(estateArg(args))
			if err != nil {
				return err
			}
			data, err := manifestOf(estate, env)
			if err == nil {
				_, err = cmd.OutOrStdout().Write(data)
			}
			return err
		},
	}
	registerEnv(cmd, &env, "the environment whose defaults to print")
	return cmd
}

// A manifest is what the OpenFeature CLI reads.
type manifest struct {
	Schema string                  `json:"$schema"`
	Flags  map[string]manifestFlag `json:"flags"`
}

type manifestFlag struct {
	FlagType     string          `json:"flagType"`
	DefaultValue json.RawMessage `json:"defaultValue"`
	Description  string          `json:"description,omitempty"`
}

// manifestTypes are what OpenFeature calls the types of flags.
var manifestTypes = map[evaluator.Kind]string{
	evaluator.KindBool: "boolean", evaluator.KindString: "string", evaluator.KindInt: "integer",
	evaluator.KindFloat:  "float",
	evaluator.KindObject: "object",
}

// manifestOf returns the manifest of an estate. Equal estates give equal bytes.
func manifestOf(e *ci.Estate, env string) ([]byte, error) {
	m := manifest{Schema: manifestSchema, Flags: make(map[string]manifestFlag)}
	for _, key := range e.Keys() {
		f, err := e.Effective(key, env)
		if err != nil {
			return nil, err
		}
		c := f.Compiled
		m.Flags[key] = manifestFlag{manifestTypes[c.Type], c.Variants[c.Default].Value.JSON(), f.Description}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return b.Bytes(), nil
}
