package group

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/loghaul/loghaul/broker/group/assign"
	"github.com/loghaul/loghaul/broker/statelog"
	"github.com/loghaul/loghaul/internal/record"
)

// change is what one request has changed in a consumer group, to be stored in one go.
type change struct {
	members  map[MemberID]bool // who they are and what they want
	targets  map[MemberID]bool
	currents map[MemberID]bool // where they stand
	patterns map[string]bool
	dropped  []string // keys to be deleted
	epoch    bool     // the group's
	aim      bool     // the epoch of the targets
	was      *consumer
}

func note[K comparable](set *map[K]bool, k K) {
	if *set == nil {
		*set = map[K]bool{}
	}
	(*set)[k] = true
}

func (ch *change) member(m *consumer)  { note(&ch.members, m.id) }
func (ch *change) current(m *consumer) { note(&ch.currents, m.id) }
func (ch *change) aimed(m *consumer)   { note(&ch.targets, m.id) }
func (ch *change) matched(p string)    { note(&ch.patterns, p) }

// gone deletes what the log has of a member.
func (ch *change) gone(g *group, m *consumer) {
	for _, kind := range []int16{kindCurrent, kindTarget, kindMember} {
		if m.stored {
			ch.dropped = append(ch.dropped, string(consumerKey(kind, g.id, string(m.id))))
		}
	}
}

// save stores what a change comes to; done, if there is one, is called when it is durable. When the log
// cannot take it, the group goes on as it is, and whatever changes next stores all of it.
func (g *group) save(ch *change, done func(error)) error {
	r := g.roster
	entries := g.entriesOf(ch)
	if r.unsaved {
		entries = g.overwrite(ch)
	}
	if len(entries) == 0 {
		if done != nil { // an earlier answer may have been lost: this one too waits for what that would have said
			return g.c.writer.After(r.last, done)
		}
		return nil
	}
	last, err := g.c.writer.AppendAs(record.NoProducer, entries, done)
	if err == nil || last >= 0 { // a part of it may be in the log without the rest
		r.noteStored(ch)
	}
	if err != nil {
		if r.erased == nil {
			r.erased = map[string]bool{}
		}
		for _, key := range ch.dropped { // of what is in the log: while nothing more comes in they do not grow
			r.erased[key] = true
		}
		r.unsaved = true
		return err
	}
	r.unsaved, r.erased, r.last = false, nil, last
	return nil
}

// overwrite is all that the group is, and the deletion of what has gone since it was last stored and has not
// come back.
func (g *group) overwrite(ch *change) []statelog.Entry {
	erased := maps.Clone(g.roster.erased)
	if erased == nil {
		erased = map[string]bool{}
	}
	for _, key := range ch.dropped {
		erased[key] = true
	}
	live := g.rosterEntries()
	for _, e := range live {
		delete(erased, string(e.Key))
	}
	for _, key := range slices.Sorted(maps.Keys(erased)) {
		live = append(live, entry([]byte(key), nil))
	}
	return live
}

// noteStored notes what the log may have now.
func (r *roster) noteStored(ch *change) {
	if r.unsaved { // it was all of the group
		ch = &change{members: map[MemberID]bool{}, patterns: map[string]bool{}}
		for id := range r.consumers {
			ch.members[id] = true
		}
		for text := range r.patterns {
			ch.patterns[text] = true
		}
	}
	for id := range ch.members {
		if m := r.consumers[id]; m != nil {
			m.stored = true
		}
	}
	for text := range ch.patterns {
		if p := r.patterns[text]; p != nil {
			p.stored = true
		}
	}
}

// entriesOf are the records of a change: who they are first, and where they stand last, as in Kafka.
func (g *group) entriesOf(ch *change) []statelog.Entry {
	r := g.roster
	var list []statelog.Entry
	for _, key := range ch.dropped {
		list = append(list, entry([]byte(key), nil))
	}
	each := func(set map[MemberID]bool, f func(*consumer) statelog.Entry) {
		for _, id := range slices.Sorted(maps.Keys(set)) {
			if m := r.consumers[id]; m != nil {
				list = append(list, f(m))
			}
		}
	}
	each(ch.members, g.memberEntry)
	for p := range ch.patterns {
		if r.patterns[p] != nil {
			list = append(list, entry(consumerKey(kindPattern, g.id, p), patternValue(r.patterns[p])))
		}
	}
	if ch.epoch {
		list = append(list, entry(consumerKey(kindEpoch, g.id, ""), epochValue(r)))
	}
	each(ch.targets, g.targetEntry)
	if ch.aim {
		list = append(list, entry(consumerKey(kindAim, g.id, ""), aimValue(r)))
	}
	each(ch.currents, g.currentEntry)
	return list
}

func (g *group) memberEntry(m *consumer) statelog.Entry {
	return entry(consumerKey(kindMember, g.id, string(m.id)), memberValue(m))
}

func (g *group) targetEntry(m *consumer) statelog.Entry {
	return entry(consumerKey(kindTarget, g.id, string(m.id)), targetValue(m.target))
}

func (g *group) currentEntry(m *consumer) statelog.Entry {
	return entry(consumerKey(kindCurrent, g.id, string(m.id)), currentValue(m))
}

// rosterEntries are all records of a consumer group.
func (g *group) rosterEntries() []statelog.Entry {
	if g.roster == nil || g.roster.epoch == 0 {
		return nil
	}
	all := change{epoch: true, aim: true}
	for _, m := range g.roster.consumers {
		all.member(m)
		all.aimed(m)
		all.current(m)
	}
	for p := range g.roster.patterns {
		all.matched(p)
	}
	return g.entriesOf(&all)
}

// rosterTombstones delete a consumer group that has no members.
func (g *group) rosterTombstones() []statelog.Entry {
	if g.roster == nil || g.roster.epoch == 0 {
		return nil
	}
	var list []statelog.Entry
	for p := range g.roster.patterns {
		list = append(list, entry(consumerKey(kindPattern, g.id, p), nil))
	}
	for key := range g.roster.erased {
		list = append(list, entry([]byte(key), nil))
	}
	return append(list, entry(consumerKey(kindAim, g.id, ""), nil), entry(consumerKey(kindEpoch, g.id, ""), nil))
}

// answerWhenStored is the answer to a heartbeat: at once when all that the group knows is durable.
func (g *group) answerWhenStored(res ConsumerResult, ch *change) *PendingConsumer {
	done := make(chan error, 1)
	if err := g.save(ch, func(err error) { done <- err }); err != nil { // has room for it: the only answer
		return &PendingConsumer{err: err}
	}
	return &PendingConsumer{res: res, done: done}
}

// readConsumer applies one record of a consumer group to the groups that are being loaded.
func (c *Coordinator) readConsumer(rec *record.Record) error {
	kind, id, name, err := parseConsumerKey(rec.Key)
	if err != nil {
		return err
	}
	if rec.Value == nil {
		if g := c.mu.groups[id]; g != nil && g.roster != nil {
			g.unread(kind, name)
		}
		return nil
	}
	g := c.loaded(id)
	if g.roster == nil {
		g.roster, g.protocolType = newRoster(), "consumer"
	}
	d := decoder{b: rec.Value}
	d.version()
	switch kind {
	case kindEpoch:
		g.roster.epoch = Epoch(d.i32())
		d.tags(func(tag int, data *decoder) {
			if tag == 0 {
				g.roster.seen = data.i64()
			}
		})
	case kindAim:
		g.roster.targetEpoch = Epoch(d.i32())
	case kindPattern:
		if p, err := newPattern(name); err == nil {
			p.take(d.strings())
			p.stored = true
			g.roster.patterns[name] = p
		}
	case kindMember, kindTarget, kindCurrent:
		g.readMember(kind, g.roster.read(MemberID(name)), &d)
	}
	return d.err
}

// read is a member while the log is being read.
func (r *roster) read(id MemberID) *consumer {
	if r.consumers[id] == nil {
		r.consumers[id] = &consumer{id: id, rebalance: -1, stored: true}
	}
	return r.consumers[id]
}

// readMember applies one record of a member.
func (g *group) readMember(kind int16, m *consumer, d *decoder) {
	switch kind {
	case kindMember:
		instance, _ := d.nullable()
		m.instance = InstanceID(instance)
		if rack, ok := d.nullable(); ok {
			m.rack = &rack
		}
		m.clientID, _ = d.nullable()
		m.host, _ = d.nullable()
		m.topics = d.strings()
		m.pattern, _ = d.nullable()
		m.rebalance = max(0, time.Duration(d.i32())*time.Millisecond)
		m.assigner, _ = d.nullable()
	case kindTarget:
		m.target = assign.Set{}
		for s := range d.slots() {
			m.target[s] = struct{}{}
		}
	case kindCurrent:
		m.epoch, m.previous = Epoch(d.i32()), Epoch(d.i32())
		if b := d.take(1); b != nil {
			m.progress = progress(b[0])
		}
		m.assigned, m.unrevoked = d.slots(), d.slots()
	}
}

// unread applies a deletion.
func (g *group) unread(kind int16, name string) {
	r := g.roster
	switch m := r.consumers[MemberID(name)]; {
	case kind == kindEpoch:
		g.roster, g.protocolType = nil, ""
	case kind == kindPattern:
		delete(r.patterns, name)
	case m == nil:
	case kind == kindMember:
		delete(r.consumers, m.id)
	case kind == kindTarget:
		m.target = nil
	case kind == kindCurrent:
		m.epoch, m.previous, m.progress, m.assigned, m.unrevoked = 0, 0, settled, nil, nil
	}
}

// wakeRoster begins the life of a consumer group that has been read whole: sessions begin anew.
func (g *group) wakeRoster() {
	r, now := g.roster, time.Now()
	session, _ := g.consumerTimes()
	read := r.consumers
	r.consumers = map[MemberID]*consumer{}
	for id, m := range read {
		if m.rebalance < 0 || id == "" { // never described: a crash has cut the batch that would have
			continue
		}
		m.deadline = now.Add(session)
		if m.progress == revoking {
			m.revokeEnd = now.Add(m.rebalance)
		}
		g.put(m)
	}
	if len(r.consumers) < len(read) {
		r.epoch++ // stored with the next change
		r.unsaved = true
	}
	g.restate()
	if g.since = now; g.state == Empty {
		g.since = time.Time{} // since when is not stored, as in Kafka: the offsets age from their commits
	}
}

// consumersInOrder are the members by id.
func (g *group) consumersInOrder() []*consumer {
	return slices.SortedFunc(maps.Values(g.roster.consumers), func(a, b *consumer) int { return cmp.Compare(a.id, b.id) })
}
