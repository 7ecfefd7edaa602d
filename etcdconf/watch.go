package etcdconf

import (
	"context"
	"slices"
	"strings"
)

// Fault is a value that was refused.
type Fault struct {
	Name     string
	Key      string
	Revision Revision // the refused one
	Running  Revision // the last good one, which stays in force; 0: there is none
	Err      error    // names key, field and mend
}

// Inputs is what is in force, ordered by name. A fault leaves the last good value of its name in Good.
type Inputs struct {
	Good   []Input
	Faults []Fault
}

// Sinks is what is in force, ordered by name. A fault leaves the last good value of its name in Good.
type Sinks struct {
	Good   []Sink
	Faults []Fault
}

// WatchInputs watches src and calls apply with what is in force, first and after each change, from one goroutine.
// check, if not nil, judges what ParseInputs cannot: an input it refuses is a fault like any other. It blocks as
// Source.Watch does.
func WatchInputs(ctx context.Context, src Source, check func(Input) error, apply func(Inputs)) error {
	parse := func(v Value) ([]Input, error) {
		inputs, err := ParseInputs(v)
		for i := 0; err == nil && check != nil && i < len(inputs); i++ {
			err = check(inputs[i])
		}
		return inputs, err
	}
	name := func(i Input) string { return i.Name }
	return watch(ctx, src, parse, name, func(good []Input, faults []Fault) { apply(Inputs{good, faults}) })
}

// WatchSinks is WatchInputs for sinks; check is where a sink's type judges its own fields.
func WatchSinks(ctx context.Context, src Source, check func(Sink) error, apply func(Sinks)) error {
	parse := func(v Value) ([]Sink, error) {
		s, err := ParseSink(v)
		if err == nil && check != nil {
			err = check(s)
		}
		return []Sink{s}, err
	}
	name := func(s Sink) string { return s.Name }
	return watch(ctx, src, parse, name, func(good []Sink, faults []Fault) { apply(Sinks{good, faults}) })
}

// keeper is a Source that remembers across restarts which values were last in force.
type keeper interface {
	lastGood() []Value
	keepGood(values []Value)
}

// held is what one value means: its items, or why it was refused and the items that stay.
type held[T any] struct {
	seen  Value
	good  *Value // the last one that was not refused
	items []T    // of good
	err   error  // of seen
}

func watch[T any](ctx context.Context, src Source, parse func(Value) ([]T, error), name func(T) string, apply func([]T, []Fault)) error {
	k, _ := src.(keeper)
	now := map[string]held[T]{}
	remembered := map[string]Value{}
	first := true
	return src.Watch(ctx, func(values []Value) {
		if first && k != nil {
			for _, v := range k.lastGood() {
				remembered[v.Name] = v
			}
		}
		first = false
		next := make(map[string]held[T], len(values))
		var faults []Fault
		var good []Value
		var items []T
		for _, v := range values {
			h := resolve(now[v.Name], v, remembered, parse)
			next[v.Name] = h
			items = append(items, h.items...)
			if h.good != nil {
				good = append(good, *h.good)
			}
			if h.err != nil {
				f := Fault{Name: v.Name, Key: v.Key, Revision: v.Revision, Err: h.err}
				if h.good != nil {
					f.Running = h.good.Revision
				}
				faults = append(faults, f)
			}
		}
		now, remembered = next, nil
		if k != nil {
			k.keepGood(good)
		}
		apply(unique(items, name), faults)
	})
}

// resolve takes v over, or refuses it and stays with what was good: before it, or before the last restart.
func resolve[T any](before held[T], v Value, remembered map[string]Value, parse func(Value) ([]T, error)) held[T] {
	if before.seen.Name != "" && before.seen.same(v) {
		return before
	}
	items, err := parse(v)
	if err == nil {
		return held[T]{seen: v, good: &v, items: items}
	}
	h := held[T]{seen: v, good: before.good, items: before.items, err: err}
	if old, ok := remembered[v.Name]; ok && h.good == nil {
		if items, oldErr := parse(old); oldErr == nil {
			h.good, h.items = &old, items
		}
	}
	return h
}

// unique orders items by name and keeps the first of a name: a host's tutorial lists under its name and under
// its addresses often say the same.
func unique[T any](items []T, name func(T) string) []T {
	slices.SortStableFunc(items, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	return slices.CompactFunc(items, func(a, b T) bool { return name(a) == name(b) })
}
