package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/discover"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce"
	"github.com/loghaul/loghaul/etcdconf"
)

const keyPath = etcdconf.KeyPath

// input is one input that this host is meant for, at one revision.
type input struct {
	etcdconf.Input
	framer *batch.Framer
	ref    journal.InputRef // of its value in the journal
	limit  *limiter
	stop   context.CancelFunc // of its finder

	// Guarded by Agent.mu.
	set    *discover.Set // nil: not looked yet
	lost   int           // files that another input sends
	from   map[string]bool
	left   map[string]bool // paths of an earlier life that lead nowhere now
	finder *discover.Finder
	broken error
	astray error // the partition it names is not there; its streams wait in a lane that reads nothing of them
}

// check refuses what this version cannot honour yet, each with a sentence of its own.
func (a *Agent) check(in etcdconf.Input) error {
	var errs []error
	refuse := func(what string) { errs = append(errs, errors.New(what)) }
	if e := strings.ToLower(in.Encoding); e != "utf-8" && e != "utf8" && e != "" {
		refuse(fmt.Sprintf("encoding %q: this version sends bytes as they are; leave encoding out", in.Encoding))
	}
	if in.Format != etcdconf.FormatLine && in.Format != "" {
		refuse(fmt.Sprintf("format %q: this version knows plain lines only; leave format out", in.Format))
	}
	if in.Multiline != nil {
		refuse("multiline: this version sends every line as its own record; leave multiline out")
	}
	if in.Reader != etcdconf.ReaderNative && in.Reader != "" {
		refuse(fmt.Sprintf("reader %q: this version has its own reader only; leave reader out", in.Reader))
	}
	for _, p := range in.Paths {
		errs = append(errs, discover.CheckPattern(p))
	}
	for _, p := range in.Exclude {
		errs = append(errs, discover.CheckExclude(p))
	}
	if _, err := batch.NewFramer(a.cfg.Host, in); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// applyInputs takes over what is configured now. What has not changed is not touched.
func (a *Agent) applyInputs(ctx context.Context, now etcdconf.Inputs) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.faults = nil
	for _, f := range now.Faults {
		a.mu.faults = append(a.mu.faults, f)
		a.log.Warn("an input was refused; what ran goes on", "input", f.Name, "key", f.Key, "revision", f.Revision, "err", f.Err)
	}
	wanted := map[string]bool{}
	for _, in := range now.Good {
		if !in.Selects(a.cfg.Host, a.cfg.Labels) {
			continue
		}
		wanted[in.Name] = true
		if old := a.mu.inputs[in.Name]; old == nil || old.Revision != in.Revision || old.Key != in.Key {
			a.begin(ctx, old, in)
		}
	}
	for name, old := range a.mu.inputs {
		if !wanted[name] {
			a.log.Info("an input is gone", "input", name)
			old.end(a)
			delete(a.mu.inputs, name)
			a.first.forget(name)
		}
	}
	a.reconcile(ctx)
	if !a.mu.applied {
		a.mu.applied = true
		close(a.ready)
	}
}

// begin takes up an input, or its next revision; mu is held.
func (a *Agent) begin(ctx context.Context, old *input, conf etcdconf.Input) {
	in := &input{Input: conf, limit: &limiter{}}
	if old != nil {
		old.end(a)
		in.limit = old.limit
		if conf.Topic == old.Topic && slices.Equal(conf.Paths, old.Paths) && slices.Equal(conf.Exclude, old.Exclude) {
			in.set = old.set // until the new finder has looked
		}
	}
	in.limit.set(int64(conf.RateBytes))
	a.mu.inputs[conf.Name] = in
	if in.broken = a.equip(in); in.broken != nil {
		return
	}
	finder, err := discover.New(discover.Config{
		Include: conf.Paths, Exclude: conf.Exclude, Access: a.access, Events: a.events, Hint: a.hint, Removed: a.removed, Logger: a.log.With("input", conf.Name),
	})
	if err != nil {
		in.broken = err
		return
	}
	finding, stop := context.WithCancel(ctx)
	in.stop, in.finder = stop, finder
	a.lanes.Go(func() {
		finder.Run(finding, func(set discover.Set) { a.applySet(ctx, finding, in, set) })
	})
	a.log.Info("an input is taken up", "input", conf.Name, "revision", conf.Revision, "topic", conf.Topic, "paths", conf.Paths)
}

// equip makes what frames the input's lines and keeps its value in the journal.
func (a *Agent) equip(in *input) error {
	kept, err := batch.Keep(in.Input)
	if err != nil {
		return err
	}
	if in.framer, err = batch.NewFramer(a.cfg.Host, in.Input); err != nil {
		return err
	}
	in.ref, err = a.journal.KeepInput(in.Name, int64(in.Revision), kept)
	return err
}

// end stops finding; streams of the input are another matter. mu is held.
func (in *input) end(a *Agent) {
	if in.stop != nil {
		in.stop()
	}
	if in.ref == 0 {
		return
	}
	// Lines framed by it may still be on their way into a batch.
	a.mu.refs = append(a.mu.refs, in.ref)
	if len(a.mu.refs) > keptRefs {
		a.journal.ReleaseInput(a.mu.refs[0])
		a.mu.refs = slices.Delete(a.mu.refs, 0, 1)
	}
}

// keptRefs is how many values of the past stay in the journal for stragglers.
const keptRefs = 32

// applySet takes over which files an input matches now.
func (a *Agent) applySet(ctx, finding context.Context, in *input, set discover.Set) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if finding.Err() != nil || a.mu.inputs[in.Name] != in {
		return // another revision has taken over
	}
	for path, err := range set.Refused {
		if in.set == nil || in.set.Refused[path] == nil || in.set.Refused[path].Error() != err.Error() {
			a.log.Warn("a path is not followed", "input", in.Name, "path", path, "err", err)
		}
	}
	looked, before := in.from != nil, in.set
	in.set = &set
	if !looked {
		in.from = map[string]bool{}
		if in.Start == etcdconf.StartEnd && !a.first.claimed(in.Name, in.Topic) {
			for path := range set.Files {
				in.from[path] = true
			}
		}
	}
	if !looked {
		in.left = a.leftBy(in)
	}
	if !looked && in.Start == etcdconf.StartEnd {
		a.inherit(in)
	}
	a.witness(ctx, in)
	if !looked && in.Start == etcdconf.StartEnd {
		a.first.claim(in.Name, in.Topic) // only now: a crash before must not make a later end, or 0, of these
	}
	if !looked || before == nil {
		a.reconcile(ctx)
		return
	}
	a.recountLost(in.Topic)
	a.revise(ctx, func(yield func(streamID) bool) {
		for path := range differ(before.Files, set.Files) {
			if !yield(streamID{path, in.Topic}) {
				return
			}
		}
	})
}

// differ are the paths of which one of two sets says something else than the other.
func differ(a, b map[string]*discover.File) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path, file := range b {
			if was := a[path]; (was == nil || was != file && *was != *file) && !yield(path) {
				return
			}
		}
		for path := range a {
			if b[path] == nil && !yield(path) {
				return
			}
		}
	}
}

// leftBy lists the paths that an input matches, that the journal knows and that lead
// nowhere now; mu is held.
func (a *Agent) leftBy(in *input) map[string]bool {
	left := map[string]bool{}
	for _, g := range a.journal.Generations(in.Topic) {
		if g.Ended || left[g.Path] || a.mu.streams[streamID{g.Path, in.Topic}] != nil || !in.finder.Matches(g.Path) {
			continue
		}
		if _, there := in.set.Files[g.Path]; there {
			continue
		}
		if _, err := os.Lstat(g.Path); os.IsNotExist(err) {
			left[g.Path] = true
		}
	}
	return left
}

// createOf is how an input wants its topic made.
func createOf(in *input) *produce.Create {
	if in.TopicCreate == nil {
		return nil
	}
	return &produce.Create{Partitions: in.TopicCreate.Partitions, Replicas: in.TopicCreate.Replicas, Configs: in.TopicCreate.Configs}
}
