package main

import (
	"os"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

// Shells complete names from the flag files that a command line is about. If they can't be
// read, or are published elsewhere, there is nothing to complete.

// estateOf returns the flag folder that a command line is about, nil if there is none.
func estateOf(cmd *cobra.Command, args []string) *ci.Estate {
	dir := defaultEstate
	if from := cmd.Flags().Lookup("from"); from != nil {
		if dir = from.Value.String(); dir == "" {
			dir = os.Getenv("SERIN_FROM")
		}
	} else if len(args) > 0 && strings.Contains(cmd.Use, "[DIR]") {
		dir = args[0]
	}
	if dir == "" {
		dir = defaultEstate
	}
	if published(dir) {
		return nil
	}
	estate, err := ci.Load(dir)
	if err != nil {
		return nil
	}
	return estate
}

// completeKeys completes the key of a flag.
func completeKeys(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	estate := estateOf(cmd, args)
	if estate == nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var list []cobra.Completion
	for _, key := range estate.Keys() {
		about := ""
		if f, err := estate.Effective(key, ""); err == nil {
			about, _, _ = strings.Cut(f.Description, "\n")
		}
		list = append(list, cobra.CompletionWithDesc(key, about))
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeFolder completes the folder of flag files that a verb takes.
func completeFolder(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeEnvironments completes the name of an environment.
func completeEnvironments(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	estate := estateOf(cmd, args)
	if estate == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return estate.Environments(), cobra.ShellCompDirectiveNoFileComp
}

// completeAttributes completes name=value: the name of an attribute, and then a value that
// it may have.
func completeAttributes(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion,
	cobra.ShellCompDirective) {
	const neither = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	estate := estateOf(cmd, args)
	if estate == nil {
		return nil, neither
	}
	name, _, hasName := strings.Cut(typed, "=")
	var list []cobra.Completion
	for _, a := range estate.Attributes() {
		switch {
		case !hasName:
			list = append(list, a.Name+"=")
		case a.Name == name:
			for _, value := range valuesOf(a) {
				list = append(list, name+"="+value)
			}
		}
	}
	if hasName {
		return list, cobra.ShellCompDirectiveNoFileComp
	}
	return list, neither
}

// valuesOf returns the values that an attribute may have, if they are few.
func valuesOf(a ci.Declaration) []string {
	if a.Type == evaluator.AttrBoolean {
		return []string{"false", "true"}
	}
	var list []string
	for _, v := range a.Values {
		if text, ok := v.Text(); ok {
			list = append(list, text)
		} else {
			list = append(list, string(v.JSON()))
		}
	}
	return list
}

// completeOwners completes the owner of flags.
func completeOwners(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	estate := estateOf(cmd, args)
	if estate == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var owners []cobra.Completion
	for _, key := range estate.Keys() {
		if f, err := estate.Effective(key, ""); err == nil && f.Owner != "" {
			owners = append(owners, f.Owner)
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners), cobra.ShellCompDirectiveNoFileComp
}

// completePromotion completes a flag and two environments.
func completePromotion(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeKeys(cmd, args, typed)
	}
	return completeEnvironments(cmd, nil, typed)
}

// addCompletions has shells complete the words of cmd and of the commands below it.
func addCompletions(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
	formats := []cobra.Completion{"text", "markdown", "json"}
	if cmd.Name() == "handles" {
		formats[1] = "sarif"
	}
	switch _, words, _ := strings.Cut(cmd.Use, " "); {
	case cmd.Name() == "promote":
		cmd.ValidArgsFunction = completePromotion
	case strings.HasPrefix(words, "FLAG"), cmd.Name() == "rename":
		cmd.ValidArgsFunction = completeKeys
	case strings.HasPrefix(words, "[DIR]"), strings.HasPrefix(words, "DIR"):
		cmd.ValidArgsFunction = completeFolder
	}
	for name, complete := range map[string]cobra.CompletionFunc{
		"env":       completeEnvironments,
		"attribute": completeAttributes,
		"owner":     completeOwners,
		"color": cobra.FixedCompletions([]cobra.Completion{"auto", "always", "never"},
			cobra.ShellCompDirectiveNoFileComp),
		"format": cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp),
	} {
		if cmd.Flag(name) != nil {
			// It fails only for flags of a verb above, which have a completion.
			_ = cmd.RegisterFlagCompletionFunc(name, complete)
		}
	}
}
