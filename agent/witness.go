package agent

import (
	"context"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
)

// witness journals where the files of an input begin whose paths are new, when their
// streams cannot do so: the topic is not to be reached yet, and what is rotated away
// until it is would be nobody's; or the end that counts is that of this moment. mu is
// held.
func (a *Agent) witness(ctx context.Context, in *input) {
	a.topicOf(ctx, in.Topic, in)
	t := a.mu.topics[in.Topic]
	for path := range in.set.Files {
		if t.ready && !in.from[path] || len(t.generations(path)) > 0 {
			continue
		}
		f := follow.New(follow.Config{Path: path, FromEnd: in.from[path], MaxLine: int(in.MaxLineBytes), Allow: a.access.Check, Archives: a.cfg.Once, Known: t.journaled, Logger: a.log})
		if _, err := f.Look(); err == nil { // else its stream says so
			for _, g := range beginnings(t.name, spread, f) {
				if _, err := a.journal.Register(g); err != nil {
					a.journalFails(err)
				}
			}
		}
		f.Close()
	}
}

// inherit lets an input with start "end" whose topic was edited go on where its files
// were left on their way to the topic before: not at their end, which is later, and not
// at 0. mu is held.
func (a *Agent) inherit(in *input) {
	for _, old := range a.first.earlier(in.Name, in.Topic) {
		for _, g := range a.journal.Generations(old) {
			if _, ours := in.set.Files[g.Path]; !ours || g.Ended {
				continue
			}
			if _, known := a.journal.Known(in.Topic, g.ID); known {
				continue
			}
			// What was read for the topic before and not begun may go to both: whether it
			// ever is begun there nobody knows, and once read here it is in the journal.
			at := g.Begun
			g.Topic, g.Partition, g.Position, g.Begun, g.Carry, g.Lost = in.Topic, spread, at, at, 0, 0
			g.From, g.Skips, g.Doubles, g.Gaps = at, journal.Skips{}, 0, nil
			if _, err := a.journal.Register(g); err != nil {
				a.journalFails(err)
			}
		}
	}
}

// beginnings is what the journal is to know of files before the first line of them.
func beginnings(topic string, partition int32, f *follow.Stream) []journal.Generation {
	var out []journal.Generation
	for _, cp := range f.Beginnings() {
		out = append(out, journal.Generation{
			Topic: topic, ID: journal.ID{FS: cp.ID.FS, Inode: cp.ID.Inode, Birth: cp.ID.Birth, Cut: cp.ID.Cut}, Name: cp.ID.Generation(), Path: cp.Path,
			Began: cp.Began, Head: cp.Head, HeadLength: cp.HeadLength, Partition: partition, Position: cp.Position,
		})
	}
	return out
}
