package etcdconf

import (
	"cmp"
	"slices"
)

// Bounded is the status cut down to what fits in etcd: the worst streams and inputs, at most rows and a thousand
// times rows of them, and no endless texts. The totals stay those of all.
func (s AgentStatus) Bounded(rows int) any {
	s.Streams = worst(s.Streams, rows, func(a, b StreamStatus) int {
		return cmp.Or(cmp.Compare(trouble(b.Error), trouble(a.Error)), cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.Path, b.Path))
	})
	for i := range s.Streams {
		s.Streams[i].Error = cut(s.Streams[i].Error)
	}
	s.Inputs = worst(s.Inputs, 10*rows, func(a, b InputStatus) int {
		return cmp.Or(cmp.Compare(weight(b.State), weight(a.State)), cmp.Compare(a.Name, b.Name))
	})
	for i := range s.Inputs {
		s.Inputs[i].Error = cut(s.Inputs[i].Error)
	}
	return s
}

// Bounded is the status cut down to what fits in etcd: the worst routes, at most ten times rows.
func (s TransferStatus) Bounded(rows int) any {
	s.Routes = worst(s.Routes, 10*rows, func(a, b RouteStatus) int {
		return cmp.Or(cmp.Compare(weight(b.State), weight(a.State)), cmp.Compare(b.LagRecords, a.LagRecords), cmp.Compare(a.Sink+a.Topic, b.Sink+b.Topic))
	})
	for i := range s.Routes {
		s.Routes[i].Error = cut(s.Routes[i].Error)
	}
	return s
}

// worst copies the first rows of all by order, and leaves a list that fits in its own order.
func worst[T any](all []T, rows int, order func(a, b T) int) []T {
	all = append(make([]T, 0, len(all)), all...) // never nil: an empty list is [] in JSON
	if len(all) <= rows {
		return all
	}
	slices.SortFunc(all, order)
	return all[:rows]
}

func trouble(err string) int {
	if err != "" {
		return 1
	}
	return 0
}

// weight orders states by how much they want to be seen.
func weight(s State) int {
	switch s {
	case StateFailed, StateStopped:
		return 3
	case StateApplying, StateOverlapped:
		return 2
	case StatePaused:
		return 1
	}
	return 0
}

// cut bounds a text without cutting a rune in two.
func cut(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + "..."
}
