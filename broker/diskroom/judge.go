package diskroom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// wall is why clients are refused: the budget is used up.
type wall struct {
	refusal *RefusedError
	by      []Blocker
	since   time.Time
	refused int64 // batches, before
	want    int64 // bytes of the largest batch that is refused
	asked   time.Time
}

// Blocker is who holds records back that would else be deleted.
type Blocker struct {
	Group     string `json:"group"` // empty: nobody reads the topic
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"` // -1: all
	Lag       int64  `json:"lag_records"`
	Bytes     int64  `json:"bytes"` // of the segments that it holds
	Why       string `json:"why"`   // why it counts

	sink string
}

// mostBlockers bounds who is told of one by one.
const mostBlockers = 1000

// judge says whether clients may write, after a look.
func (r *Room) judge(shelves []*shelf, h *holds) {
	used, want, w := r.booked(), r.wanted.Swap(0), r.wall.Load()
	next := &wall{since: time.Now(), refused: r.refused.Load(), want: want, asked: time.Now()}
	if w != nil {
		next.since, next.refused, next.want = w.since, w.refused, max(want, w.want)
		if want == 0 {
			next.asked = w.asked
		}
	}
	// Who was refused shall find room when it is said that there is some, unless it has not come back.
	fits := used+next.want <= r.marks.limit || time.Since(next.asked) > restEvery
	if used <= r.marks.resume && fits {
		if w != nil {
			r.wall.Store(nil)
			r.log.Info("there is room in the disk budget again, writing goes on", "used", Bytes(used), "budget", Bytes(r.cfg.Budget),
				"after", time.Since(w.since).Round(time.Millisecond), "refused", r.refused.Load()-w.refused)
		}
		return
	}
	if w == nil && want == 0 {
		return
	}
	by := r.blockers(shelves, h)
	next.by = slices.Clone(by[:min(len(by), mostBlockers)])
	key, why := r.sentence(by, shelves)
	next.refusal = &RefusedError{why}
	r.wall.Store(next)
	if w == nil {
		r.walls.first(key)
		r.log.Error("records are refused until there is room, producers keep and resend them: " + why)
	} else if r.walls.another(key) {
		r.log.Error("records are still refused, for another reason now: "+why, "since", w.since.Round(time.Second), "refused", r.refused.Load()-w.refused)
	}
}

// blockers are those because of whom nothing more may be deleted, who holds most first.
func (r *Room) blockers(shelves []*shelf, h *holds) []Blocker {
	if r.cfg.OnFull != Block {
		return nil
	}
	h.settle(shelves)
	unread := map[string]int64{}
	var list []Blocker
	for _, s := range shelves {
		if s.Spared {
			continue
		}
		if len(s.holds) == 0 {
			unread[s.Topic] += s.bytes()
		}
		for _, hold := range s.holds {
			if b, some := s.heldBy(hold); some {
				list = append(list, b)
			}
		}
	}
	for topic, bytes := range unread {
		if bytes > 0 {
			list = append(list, Blocker{Topic: topic, Partition: -1, Bytes: bytes, Why: h.nobody(topic)})
		}
	}
	slices.SortFunc(list, func(a, b Blocker) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Group, b.Group), strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list
}

// nobody says why a topic counts as read by nobody.
func (h *holds) nobody(topic string) string {
	if group := h.dead[topic]; group != "" {
		return fmt.Sprintf("group %s has no members, and has committed nothing for 7 days", group)
	}
	return "no group reads it"
}

// heldBy is what one group holds back in a log, if it is anything.
func (s *shelf) heldBy(h hold) (Blocker, bool) {
	b := Blocker{Group: h.group, Topic: s.Topic, Partition: s.Index, Lag: int64(s.end() - max(h.from, s.start())), Why: h.why, sink: h.sink}
	for _, p := range s.pieces {
		if p.Next > h.from {
			b.Bytes += p.Bytes
		}
	}
	return b, b.Lag > 0
}

// sentence names the one that holds most, and the mend; key is the same as long as they are.
func (r *Room) sentence(by []Blocker, shelves []*shelf) (key, why string) {
	head := fmt.Sprintf("the disk budget of %s is used up", Bytes(r.cfg.Budget))
	if _, known := r.cfg.Sinks(); !known && r.cfg.OnFull == Block {
		return "sinks", head + ", and the broker, which has just started, does not know yet which sinks there are: until etcd has said it, or a minute is over, nothing is deleted for room"
	}
	if len(by) == 0 {
		return "spared", head + r.spared(shelves)
	}
	b := by[0]
	key = fmt.Sprintf("%s\x00%s-%d", b.Group, b.Topic, b.Partition)
	more := ""
	if len(by) > 1 {
		more = fmt.Sprintf(" (and %d more, see loghaul status groups)", len(by)-1)
	}
	if b.Group == "" {
		return key, fmt.Sprintf("%s: nobody reads topic %s, of %s (%s)%s: give it a sink or a consumer group, delete what is there with loghaul topic trim %s --before end, or raise --disk-budget",
			head, b.Topic, Bytes(b.Bytes), b.Why, more, b.Topic)
	}
	mend := fmt.Sprintf("let it catch up, give up what it has not read with loghaul topic trim %s --before end, or raise --disk-budget; a group that is gone for good ends with loghaul group delete %s --yes", b.Topic, b.Group)
	if b.sink != "" {
		mend = fmt.Sprintf("see that the transfer of sink %s runs, remove the sink with loghaul sink rm %s, or raise --disk-budget", b.sink, b.sink)
	}
	return key, fmt.Sprintf("%s: group %s has still to commit %d records of %s-%d and holds %s (%s)%s: %s",
		head, b.Group, b.Lag, b.Topic, b.Partition, Bytes(b.Bytes), b.Why, more, mend)
}

// spared says where the bytes are when nobody holds any.
func (r *Room) spared(shelves []*shelf) string {
	var kept int64
	for _, s := range shelves {
		if s.Spared {
			kept += s.bytes()
		}
	}
	return fmt.Sprintf(", and nothing more may be deleted for room (%s are the broker's own state and topics that keep the latest of each key, %s small files of %d partitions): raise --disk-budget, or delete a topic",
		Bytes(kept), Bytes(r.aside.Load()), len(shelves))
}
