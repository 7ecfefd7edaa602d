package agent

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/produce"
)

// reconcile makes the streams what the inputs and their files ask for; mu is held. A
// stream is known by path and topic, so an edit that keeps both keeps it and its
// positions.
func (a *Agent) reconcile(ctx context.Context) {
	want := a.desired()
	a.leftovers(want)
	for id := range a.mu.streams {
		if want[id] == nil {
			want[id] = nil // which is something else than not to be there
		}
	}
	a.fit(ctx, want)
}

// revise is reconcile for some streams, which costs what they are and not what there is;
// mu is held.
func (a *Agent) revise(ctx context.Context, ids iter.Seq[streamID]) {
	want := map[streamID]*input{}
	for id := range ids {
		want[id] = a.wanted(id)
	}
	a.fit(ctx, want)
}

// fit makes streams what is asked for: an input, or nothing; mu is held.
func (a *Agent) fit(ctx context.Context, want map[streamID]*input) {
	if ctx.Err() != nil {
		return
	}
	for _, in := range a.mu.inputs {
		if in.set != nil && in.broken == nil && len(in.set.Files)+len(in.left) > 0 {
			a.topicOf(ctx, in.Topic, in)
		}
	}
	for id, in := range want {
		s := a.mu.streams[id]
		if s == nil {
			continue
		}
		if delete(a.mu.odd, id); in == nil {
			a.mu.odd[id] = true
		}
		switch l := s.lane.Load(); {
		case l == nil:
			a.place(ctx, s, in)
		case in == nil && !a.vanished(s), in != nil && remade(s.want, in), in != nil && in == s.want && in.astray != nil && a.placeable(in):
			l.tell(func(context.Context) { l.leave(s) })
		case in != nil:
			a.adopt(l, s, in)
		}
	}
	a.begetAll(ctx, want)
}

// begetAll makes the streams that are not there yet; mu is held. All are made before any
// is looked at: what is another one's old file is then known to be so.
func (a *Agent) begetAll(ctx context.Context, want map[streamID]*input) {
	for _, t := range a.mu.topics {
		if t.ready {
			a.letGo(t.name)
		}
	}
	var missing []streamID
	for id, in := range want {
		if in != nil && a.mu.streams[id] == nil {
			missing = append(missing, id)
		}
	}
	slices.SortFunc(missing, cmpID)
	var fresh []*stream
	for _, id := range missing {
		if t := a.mu.topics[id.topic]; !t.ready {
			a.hold(t, id, want[id])
			want[id].leaves(id.path)
		} else {
			fresh = append(fresh, a.newStream(t, id, want[id]))
		}
	}
	if a.cfg.Once {
		oldestFirst(fresh)
	}
	for _, s := range fresh {
		a.attach(ctx, s)
	}
}

// wanted is the input that asks for a stream, nil for none: the first by name. mu is held.
func (a *Agent) wanted(id streamID) (want *input) {
	for name, in := range a.mu.inputs {
		if in.Topic == id.topic && in.broken == nil && in.set != nil && in.set.Files[id.path] != nil && (want == nil || name < want.Name) {
			want = in
		}
	}
	if want != nil {
		return want
	}
	for _, in := range a.mu.inputs { // a path of an earlier life (leftovers)
		if in.Topic == id.topic && in.left[id.path] {
			if t := a.mu.topics[id.topic]; t != nil && t.ready {
				delete(in.left, id.path)
			}
			want = in
		}
	}
	return want
}

// leftovers adds the paths that an earlier life followed and that lead nowhere now:
// what was rotated away or deleted meanwhile is read to its end. Each is asked for
// until it has its stream, which goes on by itself; mu is held.
func (a *Agent) leftovers(want map[streamID]*input) {
	for _, in := range a.mu.inputs {
		for path := range in.left {
			id := streamID{path, in.Topic}
			if t := a.mu.topics[in.Topic]; want[id] != nil || t != nil && t.ready {
				delete(in.left, path)
			}
			if want[id] == nil {
				want[id] = in
			}
		}
		if len(in.left) == 0 {
			in.left = nil // it may have been large
		}
	}
}

// leaves remembers a path whose file is held and may go before it is read: it is asked
// for all the same. Agent.mu is held.
func (in *input) leaves(path string) {
	if in.left == nil {
		in.left = map[string]bool{}
	}
	in.left[path] = true
}

// desired says which input sends which file to which topic: the first by name.
func (a *Agent) desired() map[streamID]*input {
	want := map[streamID]*input{}
	for _, name := range slices.Sorted(maps.Keys(a.mu.inputs)) {
		in := a.mu.inputs[name]
		in.lost = 0
		if in.set == nil || in.broken != nil {
			continue
		}
		for path := range in.set.Files {
			id := streamID{path, in.Topic}
			if want[id] != nil {
				in.lost++
				continue
			}
			want[id] = in
		}
	}
	return want
}

// recountLost counts anew how many files of the inputs of a topic others of them send. It
// costs what they match, but only where there are several.
func (a *Agent) recountLost(topic string) {
	var same []*input
	for _, name := range slices.Sorted(maps.Keys(a.mu.inputs)) {
		if in := a.mu.inputs[name]; in.Topic == topic && in.set != nil && in.broken == nil {
			in.lost = 0
			same = append(same, in)
		}
	}
	for n, in := range same {
		for path := range in.set.Files {
			if n == 0 {
				break
			}
			if slices.ContainsFunc(same[:n], func(x *input) bool { return x.set.Files[path] != nil }) {
				in.lost++
			}
		}
	}
}

// vanished says whether a stream that nobody asks for any more is only without its
// file: then it is read to its end. mu is held.
func (a *Agent) vanished(s *stream) bool {
	in := a.mu.inputs[s.want.Name]
	if in == nil || in.Topic != s.id.topic {
		return false
	}
	_, err := os.Lstat(s.id.path)
	return os.IsNotExist(err) && !s.finished()
}

// finished says whether a stream has read everything and its path leads nowhere.
func (s *stream) finished() bool {
	s.shown.Lock()
	defer s.shown.Unlock()
	return s.shown.done
}

// remade says whether a new revision asks for another reader of the file.
func remade(old, now *input) bool {
	return old.MaxLineBytes != now.MaxLineBytes || old.LongLines != now.LongLines
}

// adopt lets a stream go on under another input or revision; mu is held.
func (a *Agent) adopt(l *lane, s *stream, in *input) {
	old := s.want
	if old == in {
		return
	}
	s.want = in
	moves := old.KeyBy != in.KeyBy || !samePartition(old.Partition, in.Partition) || old.astray != nil
	rests := in.Paused || !a.placeable(in)
	l.tell(func(context.Context) {
		if !l.streams[s] {
			return // handed back meanwhile, and place has seen to it
		}
		if s.resting = rests; s.resting {
			s.queued = false
			l.ready = slices.DeleteFunc(l.ready, func(x *stream) bool { return x == s })
		}
		s.reframe(in)
		if moves {
			l.leave(s)
		} else {
			l.lookAt(s, time.Now())
		}
	})
}

// placeable says whether the partition that an input names, if it does, is there; mu is
// held.
func (a *Agent) placeable(in *input) bool {
	return in.Partition == nil || *in.Partition < a.mu.topics[in.Topic].info.Partitions
}

func samePartition(a, b *int32) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// newStream makes a stream; mu is held.
func (a *Agent) newStream(t *topic, id streamID, in *input) *stream {
	s := &stream{id: id, in: in, want: in, resting: in.Paused}
	s.shown.partition = spread
	known := t.generations(id.path)
	for _, g := range known {
		if !g.Ended {
			s.shown.ref, s.shown.generation, s.shown.read = g.Ref, g.Name, g.Begun
		}
	}
	s.fresh = len(known) == 0
	s.fromEnd = s.fresh && in.from[id.path]
	s.deaf = !a.hears(in, id.path)
	t.owners.Expect(id.path)
	if a.cfg.Once {
		s.rise(a, t) // they are read in the order in which they are made
	}
	a.mu.streams[id] = s
	a.byPath.Lock()
	a.byPath.m[id.path] = append(slices.Clone(a.byPath.m[id.path]), s)
	a.byPath.Unlock()
	return s
}

// hears says whether events tell of the file that a path leads to; mu is held.
func (a *Agent) hears(in *input, path string) bool {
	if in.set != nil && in.set.Files[path] != nil {
		path = in.set.Files[path].Real
	}
	return a.events.Hears(path)
}

// attach gives a stream to the lane it belongs to; mu is held.
func (a *Agent) attach(ctx context.Context, s *stream) {
	t := a.mu.topics[s.id.topic]
	home, err := t.home(s.want, s.id.path, t.generations(s.id.path))
	if s.holding() && s.want.Partition == nil && home != spread {
		home = t.byKey(s.held.Path) // a new generation goes where its key says
	}
	s.resting = s.want.Paused
	if s.want.astray = err; err != nil {
		// Another lane looks after its files and reads nothing of them, until an edit or more
		// partitions bring it back here: what is deleted meanwhile would be lost.
		home, s.resting = t.byKey(s.id.path), true
	}
	l := t.lane(ctx, home)
	if l == nil {
		return
	}
	s.lane.Store(l)
	l.tell(func(ctx context.Context) { l.add(ctx, s) })
}

// handedBack takes a stream from a lane that has everything of it acknowledged: for
// another lane, to be made anew, or to be closed.
func (a *Agent) handedBack(ctx context.Context, s *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.lane.Store(nil)
	s.want = s.in // what the lane was told since then it does not do any more (adopt)
	a.place(ctx, s, a.wanted(s.id))
}

// place says what becomes of a stream that no lane has: in is what asks for it, nil for
// nothing. mu is held.
func (a *Agent) place(ctx context.Context, s *stream, in *input) {
	t := a.mu.topics[s.id.topic]
	if s.holding() && s.want.astray != nil && in != nil {
		s.reframe(in)
		s.want, s.resting = in, in.Paused
	}
	if s.holding() { // read already: it must be sent before anything else becomes of the stream
		a.attach(ctx, s)
		a.mu.odd[s.id] = true // and then tidy looks again
		return
	}
	if in != nil && !remade(s.in, in) {
		if s.in != in {
			s.reframe(in)
			s.want, s.resting = in, in.Paused
		}
		a.attach(ctx, s)
		return
	}
	if s.awake == nil {
		s.rise(a, t) // for its path and its file are taken
	}
	s.close(a)
	delete(a.mu.streams, s.id)
	delete(a.mu.odd, s.id)
	a.byPath.Lock()
	left := slices.DeleteFunc(slices.Clone(a.byPath.m[s.id.path]), func(x *stream) bool { return x == s })
	if a.byPath.m[s.id.path] = left; len(left) == 0 {
		delete(a.byPath.m, s.id.path)
	}
	a.byPath.Unlock()
	if in != nil {
		a.attach(ctx, a.newStream(t, s.id, in))
	}
}

// topicOf takes up a topic that is wanted, and how it is to be made; mu is held.
func (a *Agent) topicOf(ctx context.Context, name string, in *input) {
	t := a.mu.topics[name]
	if t == nil {
		t = &topic{a: a, name: name, journaled: &known{j: a.journal, topic: name}, lanes: map[int32]*lane{}, parts: map[int32]*produce.Partition{}}
		var known []follow.Checkpoint
		for _, g := range a.journal.Generations(name) {
			known = append(known, checkpoint(g))
		}
		t.owners = follow.NewOwners(known)
		a.mu.topics[name] = t
		a.lanes.Go(func() { t.run(ctx) })
	}
	if in != nil && in.TopicCreate != nil {
		t.create = createOf(in)
	}
}

// topicReady lets the streams of a topic start: it is there, and nothing of an earlier
// life is in doubt.
func (a *Agent) topicReady(ctx context.Context, t *topic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.ready = true
	a.reconcile(ctx)
}

// hint passes on that a path was written. It does not block.
func (a *Agent) hint(path string) {
	a.byPath.RLock()
	streams := a.byPath.m[path]
	a.byPath.RUnlock()
	for _, s := range streams {
		s.hinted()
	}
}

func cmpID(x, y streamID) int {
	return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.topic, y.topic))
}
