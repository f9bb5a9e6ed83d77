package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	ldeval "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/serin-flags/serin/bench"
	"github.com/serin-flags/serin/sdk"
)

// loaded is an estate in both systems.
type loaded struct {
	client    *sdk.Client
	evaluator ldeval.Evaluator                // nil: LaunchDarkly can't have it
	peers     map[string]*ldmodel.FeatureFlag // LaunchDarkly's flags
}

// load publishes an estate and loads it.
func load(e *estate) (*loaded, error) {
	dir, err := os.MkdirTemp("", "serin-shapes")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := e.publish(dir); err != nil {
		return nil, err
	}
	var l loaded
	if l.client, err = bench.OpenSerin(dir); err != nil {
		return nil, err
	}
	if !e.hasPeer() {
		return &l, nil
	}
	if err := e.publishPeer(dir); err != nil {
		return nil, errors.Join(err, l.client.Close())
	}
	if l.evaluator, l.peers, err = bench.LoadLD(dir); err != nil {
		return nil, errors.Join(err, l.client.Close())
	}
	return &l, nil
}

// The ways to ask, which are the columns.
const (
	byHandle = "handle"
	byName   = "name"
	byView   = "view"
	bulk     = "bulk"
	peer     = "LD"
	peerBulk = "LD bulk"
)

var ways = []string{byHandle, byName, byView, bulk, peer, peerBulk}

// viewed is how many flags are read from a view.
const viewed = 20

// A loop is a way to ask, n times. Each time gives a number of answers.
type loop struct {
	way     string
	answers int
	run     func(n int)
}

// loops returns all loops of a point. They are written out, since a call in between would
// cost a fast system relatively more than a slow one. The last answer is kept alive, so that
// no compiler thinks it could save the work.
func (l *loaded) loops(p *point) []loop {
	count := len(p.people)
	mask := count - 1
	contexts, handles, keys := make([]sdk.Context, count), make([]*sdk.Flag[string], count), make([]string, count)
	for i := range count {
		keys[i] = p.asked[i%len(p.asked)]
		contexts[i], handles[i] = p.people[i].context(), sdk.String(keys[i], "")
	}
	var view []*sdk.Flag[string]
	for i := range min(viewed, len(p.estate.flags)) {
		view = append(view, sdk.String(p.estate.flags[i].key, ""))
	}
	client, flags := l.client, len(p.estate.flags)
	list := []loop{
		{byHandle, 1, func(n int) {
			var got string
			for i := range n {
				got = handles[i&mask].Get(client, contexts[i&mask])
			}
			runtime.KeepAlive(got)
		}},
		{byName, 1, func(n int) {
			var got string
			for i := range n {
				got, _ = client.Snapshot().Evaluate(keys[i&mask], contexts[i&mask]).Value().Text()
			}
			runtime.KeepAlive(got)
		}},
		{byView, len(view), func(n int) {
			var got string
			for i := range n {
				of := client.For(contexts[i&mask])
				for _, handle := range view {
					got = handle.In(of)
				}
			}
			runtime.KeepAlive(got)
		}},
		{bulk, flags, func(n int) {
			var got string
			for i := range n {
				for _, result := range client.Snapshot().All(contexts[i&mask]) {
					got, _ = result.Value().Text()
				}
			}
			runtime.KeepAlive(got)
		}},
	}
	if l.evaluator == nil {
		return list
	}
	return append(list, l.peerLoops(p, keys)...)
}

// peerLoops returns LaunchDarkly's loops, which ask for the same.
func (l *loaded) peerLoops(p *point, keys []string) []loop {
	mask := len(p.people) - 1
	contexts, asked := make([]ldcontext.Context, len(keys)), make([]*ldmodel.FeatureFlag, len(keys))
	for i, key := range keys {
		contexts[i], asked[i] = p.people[i].peer(), l.peers[key]
	}
	every := make([]*ldmodel.FeatureFlag, len(p.estate.flags))
	for i := range every {
		every[i] = l.peers[p.estate.flags[i].key]
	}
	evaluator := l.evaluator
	return []loop{
		{peer, 1, func(n int) {
			var got string
			for i := range n {
				got = evaluator.Evaluate(asked[i&mask], contexts[i&mask], nil).Detail.Value.StringValue()
			}
			runtime.KeepAlive(got)
		}},
		{peerBulk, len(every), func(n int) {
			var got string
			for i := range n {
				for _, f := range every {
					got = evaluator.Evaluate(f, contexts[i&mask], nil).Detail.Value.StringValue()
				}
			}
			runtime.KeepAlive(got)
		}},
	}
}

// A figure is what was measured of a point: nanoseconds for one answer, by the way of
// asking.
type figure struct {
	label string
	x     float64
	ns    map[string]float64
}

// A curve is what was measured of a series.
type curve struct {
	series
	figures []figure
}

// An effort says how long to measure.
type effort struct {
	rounds int           // an odd number has a median
	batch  time.Duration // of each way of asking, in each round
}

// run checks and measures all points of an axis.
func (a *axis) run(by effort) ([]curve, error) {
	curves := make([]curve, len(a.series))
	for i, s := range a.series {
		curves[i].series = s
	}
	for _, make := range a.places {
		if err := a.runPlace(make(), curves, by); err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return curves, nil
}

// runPlace checks and measures the points of a place, which may have estates in common.
func (a *axis) runPlace(points []point, curves []curve, by effort) error {
	systems := make(map[*estate]*loaded)
	defer func() {
		for _, l := range systems {
			l.client.Close()
		}
	}()
	for i := range points {
		p := &points[i]
		l := systems[p.estate]
		if l == nil {
			var err error
			if l, err = load(p.estate); err != nil {
				return fmt.Errorf("%s, %s: %w", a.series[p.series].name, p.label, err)
			}
			systems[p.estate] = l
		}
		if err := l.check(p); err != nil {
			return fmt.Errorf("%s, %s: %w", a.series[p.series].name, p.label, err)
		}
	}
	for e := range systems {
		e.forget()
	}
	for i := range points {
		p := &points[i]
		c := &curves[p.series]
		c.figures = append(c.figures, figure{p.label, p.x, by.measure(systems[p.estate].loops(p))})
	}
	return nil
}

// forget lets go of what the flags are like: what isn't in memory needn't be marked while
// something is measured. Keys remain.
func (e *estate) forget() {
	for i := range e.flags {
		e.flags[i].rules = nil
	}
	e.segments = nil
}

// measure runs loops in turn, in rounds: a machine that is slower for a while is then
// slower for all of them. It returns medians.
func (e effort) measure(loops []loop) map[string]float64 {
	counts := make([]int, len(loops))
	for i, l := range loops {
		counts[i] = e.count(l)
	}
	samples := make(map[string][]float64)
	for range e.rounds {
		for i, l := range loops {
			runtime.GC() // what the loop before has left is not this one's
			began := time.Now()
			l.run(counts[i])
			took := time.Since(began)
			samples[l.way] = append(samples[l.way], float64(took.Nanoseconds())/float64(counts[i]*l.answers))
		}
	}
	medians := make(map[string]float64)
	for way, list := range samples {
		slices.Sort(list)
		medians[way] = list[len(list)/2]
	}
	return medians
}

// count returns how often a loop is to run for a batch. It also warms everything up.
func (e effort) count(l loop) int {
	for n := 1; ; n *= 4 {
		began := time.Now()
		l.run(n)
		if took := time.Since(began); took >= e.batch/4 {
			return max(1, int(float64(n)*float64(e.batch)/float64(took)))
		}
	}
}
