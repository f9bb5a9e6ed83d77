package bench

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	gb "github.com/growthbook/growthbook-golang"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ph "github.com/posthog/posthog-go"
	sg "github.com/statsig-io/go-sdk"

	"github.com/serin-flags/serin/sdk"
)

// timed has the timed loops of a client. They are written out for every system,
// since a call through an interface would weigh more with a quick one than with
// a slow one. Each makes what it needs for len(users) users, a power of two,
// beforehand, and takes the next user each time.
type timed interface {
	// boolean asks for a flag without rules, and prepares users who only have an id.
	boolean(b *testing.B, flag string, users []User)
	// booleans asks for another flag each time.
	booleans(b *testing.B, flags []string, users []User)
	// built does what boolean does, and makes users of all attributes each time.
	built(b *testing.B, flag string, users []User)
	// parallel does what boolean does on all cores.
	parallel(b *testing.B, flag string, users []User)
	// text asks for a flag with rules.
	text(b *testing.B, flag string, users []User)
	// all asks for all flags, which have the keys, at once.
	all(b *testing.B, keys []string, users []User)
}

// What loops find goes here, so that no compiler thinks it could save the work.
var (
	sinkBool bool
	sinkText string
	sinkAll  any
)

// started makes each goroutine of a parallel loop begin at another user.
var started atomic.Uint32

func start() int { return int(started.Add(97)) }

// each returns f of each of users.
func each[T any](users []User, f func(*User) T) []T {
	made := make([]T, len(users))
	for i := range users {
		made[i] = f(&users[i])
	}
	return made
}

// Serin by handle.

func serinKey(u *User) sdk.Context { return sdk.User(u.ID) }

func (c serinClient) boolean(b *testing.B, flag string, users []User) {
	handle, contexts, mask := sdk.Bool(flag, false), each(users, serinKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = handle.Get(c.Client, contexts[i&mask])
	}
}

func (c serinClient) booleans(b *testing.B, flags []string, users []User) {
	handles, contexts, mask := make([]*sdk.Flag[bool], len(flags)), each(users, serinKey), len(users)-1
	for i := range flags {
		handles[i] = sdk.Bool(flags[i], false)
	}
	for i := 0; b.Loop(); i++ {
		sinkBool = handles[i&mask].Get(c.Client, contexts[i&mask])
	}
}

func (c serinClient) built(b *testing.B, flag string, users []User) {
	handle, mask := sdk.Bool(flag, false), len(users)-1
	for i := 0; b.Loop(); i++ {
		u := &users[i&mask] // written where it is used, as programs do
		sinkBool = handle.Get(c.Client, sdk.User(u.ID,
			sdk.Attr("country", u.Country),
			sdk.Attr("plan", u.Plan),
			sdk.Attr("language", u.Language),
			sdk.Attr("age", u.Age),
			sdk.Attr("version", u.Version)))
	}
}

func (c serinClient) parallel(b *testing.B, flag string, users []User) {
	handle, contexts, mask := sdk.Bool(flag, false), each(users, serinKey), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got = handle.Get(c.Client, contexts[i&mask])
		}
		runtime.KeepAlive(got)
	})
}

func (c serinClient) text(b *testing.B, flag string, users []User) {
	handle, contexts, mask := sdk.String(flag, ""), each(users, serinContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkText = handle.Get(c.Client, contexts[i&mask])
	}
}

func (c serinClient) all(b *testing.B, _ []string, users []User) {
	snapshot, contexts, mask := c.Snapshot(), each(users, serinContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		for _, result := range snapshot.All(contexts[i&mask]) {
			sinkText, _ = result.Value().Text()
		}
	}
}

// Serin by name.

func (c serinByName) boolean(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, serinKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.Snapshot().Evaluate(flag, contexts[i&mask]).Value().Bool()
	}
}

func (c serinByName) booleans(b *testing.B, flags []string, users []User) {
	contexts, mask := each(users, serinKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.Snapshot().Evaluate(flags[i&mask], contexts[i&mask]).Value().Bool()
	}
}

func (c serinByName) built(b *testing.B, flag string, users []User) {
	mask := len(users) - 1
	for i := 0; b.Loop(); i++ {
		u := &users[i&mask]
		sinkBool, _ = c.Snapshot().Evaluate(flag, sdk.User(u.ID,
			sdk.Attr("country", u.Country),
			sdk.Attr("plan", u.Plan),
			sdk.Attr("language", u.Language),
			sdk.Attr("age", u.Age),
			sdk.Attr("version", u.Version))).Value().Bool()
	}
}

func (c serinByName) parallel(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, serinKey), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got, _ = c.Snapshot().Evaluate(flag, contexts[i&mask]).Value().Bool()
		}
		runtime.KeepAlive(got)
	})
}

func (c serinByName) text(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, serinContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkText, _ = c.Snapshot().Evaluate(flag, contexts[i&mask]).Value().Text()
	}
}

// LaunchDarkly's evaluation module.

func ldKey(u *User) ldcontext.Context { return ldcontext.New(u.ID) }

func (c *ldClient) boolean(b *testing.B, flag string, users []User) {
	f, contexts, mask := c.flags[flag], each(users, ldKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.evaluator.Evaluate(f, contexts[i&mask], nil).Detail.Value.BoolValue()
	}
}

func (c *ldClient) booleans(b *testing.B, flags []string, users []User) {
	handles, contexts, mask := make([]*ldmodel.FeatureFlag, len(flags)), each(users, ldKey), len(users)-1
	for i := range flags {
		handles[i] = c.flags[flags[i]]
	}
	for i := 0; b.Loop(); i++ {
		sinkBool = c.evaluator.Evaluate(handles[i&mask], contexts[i&mask], nil).Detail.Value.BoolValue()
	}
}

func (c *ldClient) built(b *testing.B, flag string, users []User) {
	f, mask := c.flags[flag], len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.evaluator.Evaluate(f, ldContext(&users[i&mask]), nil).Detail.Value.BoolValue()
	}
}

func (c *ldClient) parallel(b *testing.B, flag string, users []User) {
	f, contexts, mask := c.flags[flag], each(users, ldKey), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got = c.evaluator.Evaluate(f, contexts[i&mask], nil).Detail.Value.BoolValue()
		}
		runtime.KeepAlive(got)
	})
}

func (c *ldClient) text(b *testing.B, flag string, users []User) {
	f, contexts, mask := c.flags[flag], each(users, ldContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkText = c.evaluator.Evaluate(f, contexts[i&mask], nil).Detail.Value.StringValue()
	}
}

func (c *ldClient) all(b *testing.B, keys []string, users []User) {
	flags, contexts, mask := make([]*ldmodel.FeatureFlag, len(keys)), each(users, ldContext), len(users)-1
	for i, key := range keys {
		flags[i] = c.flags[key]
	}
	for i := 0; b.Loop(); i++ {
		for _, f := range flags {
			sinkText = c.evaluator.Evaluate(f, contexts[i&mask], nil).Detail.Value.StringValue()
		}
	}
}

// LaunchDarkly's SDK.

func (c ldSDKClient) boolean(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, ldKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.BoolVariation(flag, contexts[i&mask], false)
	}
}

func (c ldSDKClient) booleans(b *testing.B, flags []string, users []User) {
	contexts, mask := each(users, ldKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.BoolVariation(flags[i&mask], contexts[i&mask], false)
	}
}

func (c ldSDKClient) built(b *testing.B, flag string, users []User) {
	mask := len(users) - 1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.BoolVariation(flag, ldContext(&users[i&mask]), false)
	}
}

func (c ldSDKClient) parallel(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, ldKey), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got, _ = c.BoolVariation(flag, contexts[i&mask], false)
		}
		runtime.KeepAlive(got)
	})
}

func (c ldSDKClient) text(b *testing.B, flag string, users []User) {
	contexts, mask := each(users, ldContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkText, _ = c.StringVariation(flag, contexts[i&mask], "")
	}
}

func (c ldSDKClient) all(b *testing.B, keys []string, users []User) {
	// AllFlagsState takes half as long again.
	contexts, mask := each(users, ldContext), len(users)-1
	for i := 0; b.Loop(); i++ {
		for _, key := range keys {
			sinkText, _ = c.StringVariation(key, contexts[i&mask], "")
		}
	}
}

// GrowthBook.

func (c gbClient) key(u *User) *gb.Client {
	child, err := c.WithAttributes(gb.Attributes{"id": u.ID})
	if err != nil {
		panic(err) // no attribute can cause one
	}
	return child
}

func (c gbClient) boolean(b *testing.B, flag string, users []User) {
	ctx, clients, mask := context.Background(), each(users, c.key), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = clients[i&mask].EvalFeature(ctx, flag).On
	}
}

func (c gbClient) booleans(b *testing.B, flags []string, users []User) {
	ctx, clients, mask := context.Background(), each(users, c.key), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = clients[i&mask].EvalFeature(ctx, flags[i&mask]).On
	}
}

func (c gbClient) built(b *testing.B, flag string, users []User) {
	ctx, mask := context.Background(), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.user(&users[i&mask]).EvalFeature(ctx, flag).On
	}
}

func (c gbClient) parallel(b *testing.B, flag string, users []User) {
	ctx, clients, mask := context.Background(), each(users, c.key), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got = clients[i&mask].EvalFeature(ctx, flag).On
		}
		runtime.KeepAlive(got)
	})
}

func (c gbClient) text(b *testing.B, flag string, users []User) {
	ctx, clients, mask := context.Background(), each(users, c.user), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkText, _ = clients[i&mask].EvalFeature(ctx, flag).Value.(string)
	}
}

func (c gbClient) all(b *testing.B, keys []string, users []User) {
	ctx, clients, mask := context.Background(), each(users, c.user), len(users)-1
	for i := 0; b.Loop(); i++ {
		for _, key := range keys {
			sinkText, _ = clients[i&mask].EvalFeature(ctx, key).Value.(string)
		}
	}
}

// Statsig.

func sgKey(u *User) sg.User { return sg.User{UserID: u.ID} }

func (c sgClient) boolean(b *testing.B, flag string, users []User) {
	made, mask := each(users, sgKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.CheckGateWithExposureLoggingDisabled(made[i&mask], flag)
	}
}

func (c sgClient) booleans(b *testing.B, flags []string, users []User) {
	made, mask := each(users, sgKey), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.CheckGateWithExposureLoggingDisabled(made[i&mask], flags[i&mask])
	}
}

func (c sgClient) built(b *testing.B, flag string, users []User) {
	mask := len(users) - 1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.CheckGateWithExposureLoggingDisabled(sgUser(&users[i&mask]), flag)
	}
}

func (c sgClient) parallel(b *testing.B, flag string, users []User) {
	made, mask := each(users, sgKey), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			got = c.CheckGateWithExposureLoggingDisabled(made[i&mask], flag)
		}
		runtime.KeepAlive(got)
	})
}

func (c sgClient) text(b *testing.B, flag string, users []User) {
	made, mask := each(users, sgUser), len(users)-1
	for i := 0; b.Loop(); i++ {
		config := c.GetConfigWithExposureLoggingDisabled(made[i&mask], flag)
		sinkText = config.GetString("value", "")
	}
}

func (c sgClient) all(b *testing.B, keys []string, users []User) {
	made, mask := each(users, sgUser), len(users)-1
	for i := 0; b.Loop(); i++ {
		for _, key := range keys {
			config := c.GetConfigWithExposureLoggingDisabled(made[i&mask], key)
			sinkText = config.GetString("value", "")
		}
	}
}

// PostHog. Its question is a flag and a user in one.

func phAbout(flag string) func(*User) ph.FeatureFlagPayload {
	return func(u *User) ph.FeatureFlagPayload { return phQuestion(flag, u.ID, ph.Properties{"id": u.ID}) }
}

func (c phClient) boolean(b *testing.B, flag string, users []User) {
	questions, mask := each(users, phAbout(flag)), len(users)-1
	for i := 0; b.Loop(); i++ {
		value, _ := c.GetFeatureFlag(questions[i&mask])
		sinkBool, _ = value.(bool)
	}
}

func (c phClient) booleans(b *testing.B, flags []string, users []User) {
	questions, mask := each(users, phAbout("")), len(users)-1
	for i := range questions {
		questions[i].Key = flags[i]
	}
	for i := 0; b.Loop(); i++ {
		value, _ := c.GetFeatureFlag(questions[i&mask])
		sinkBool, _ = value.(bool)
	}
}

func (c phClient) built(b *testing.B, flag string, users []User) {
	// A question of an empty user, so that what is no part of the user isn't
	// made anew.
	question, mask := phQuestion(flag, "", nil), len(users)-1
	for i := 0; b.Loop(); i++ {
		u := &users[i&mask]
		question.DistinctId, question.PersonProperties = u.ID, phProperties(u)
		value, _ := c.GetFeatureFlag(question)
		sinkBool, _ = value.(bool)
	}
}

func (c phClient) parallel(b *testing.B, flag string, users []User) {
	questions, mask := each(users, phAbout(flag)), len(users)-1
	b.RunParallel(func(pb *testing.PB) {
		var got bool
		for i := start(); pb.Next(); i++ {
			value, _ := c.GetFeatureFlag(questions[i&mask])
			got, _ = value.(bool)
		}
		runtime.KeepAlive(got)
	})
}

func (c phClient) text(b *testing.B, flag string, users []User) {
	questions, mask := each(users, func(u *User) ph.FeatureFlagPayload {
		return phQuestion(flag, u.ID, phProperties(u))
	}), len(users)-1
	for i := 0; b.Loop(); i++ {
		value, _ := c.GetFeatureFlag(questions[i&mask])
		sinkText, _ = value.(string)
	}
}

func (c phClient) all(b *testing.B, keys []string, users []User) {
	questions, mask := each(users, func(u *User) ph.FeatureFlagPayloadNoKey {
		return phQuestionAll(u.ID, phProperties(u))
	}), len(users)-1
	var values map[string]any
	for i := 0; b.Loop(); i++ {
		values, _ = c.GetAllFlags(questions[i&mask])
	}
	sinkAll = values
}
