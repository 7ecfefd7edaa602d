package produce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/record"
)

// knowledge is what a partition's leader knows of our producer id.
type knowledge struct {
	asked bool // it answered at all
	found bool
	epoch int16
	last  int32 // sequence
	when  int64 // of its last batch, Unix ms; -1: it does not say
}

// reconcile settles what an earlier connection or an earlier life left in doubt,
// before anything new is sent (agent/DESIGN.md, rules 4, 5 and 8): it asks the leader for our
// last sequence, sends the last batch that this covers again and believes only that
// answer, and leaves in the flights what is proven not to be stored. Where the answer
// does not fit what the journal knows, the log itself is read. isFenced: our producer id
// is used up or used by others.
func (p *Partition) reconcile(ctx context.Context, l *link, isFenced bool) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	topic, err := p.c.askTopic(p.at.Topic, false)
	if err != nil {
		return err
	}
	p.mu.Lock()
	flights, own, next := slices.Clone(p.mu.flights), p.mu.topicID, p.mu.next
	p.mu.Unlock()
	anew := own != topic.ID
	if isFenced && !anew {
		return p.renew(true)
	}
	if len(flights) > 0 {
		next = flights[0].Entry.Producer
	}
	k, err := p.ask(ctx, conn, next.ID)
	if err != nil {
		return err
	}
	if !k.asked {
		return p.withoutAnswer(ctx, l, conn, flights, next)
	}
	if anew {
		// Another topic of the same name: what it covers it has, the rest it has not.
		p.c.log.Warn("the topic was made anew; what waits goes to the new one", "topic", p.at.Topic)
		p.mu.Lock()
		p.mu.topicID, p.mu.highest, p.mu.floor, p.mu.moved, p.mu.behind = topic.ID, -1, -1, false, false
		p.mu.Unlock()
	}
	if err := p.settleDoubts(ctx, l, conn, k, next, flights, anew); err != nil {
		return err
	}
	p.mu.Lock()
	p.mu.behind = false // what is there is known, and the place in the sequence is free
	p.mu.Unlock()
	if err := p.resend(ctx, conn); err != nil {
		return err
	}
	p.adoptID()
	return nil
}

// settleDoubts takes out of the flights what is stored, and gives the rest its place in
// the sequence.
func (p *Partition) settleDoubts(ctx context.Context, l *link, conn *wire, k knowledge, next record.Producer, flights []*flight, anew bool) error {
	p.mu.Lock()
	refused, moved, end := p.mu.refused, p.mu.moved, p.mu.next
	forgotten := p.mu.behind && !p.mu.readBack && !k.found // more than the journal knows, perhaps
	p.mu.Unlock()
	covered, proven := compare(k, next, flights)
	unknown := k.unknown(end)
	proven = proven || anew
	if refused >= confirmTries {
		covered, proven = 0, false // it says that it has it, and refuses to confirm it
	}
	if !anew && (!proven || moved || forgotten || beyond(k, end)) {
		e, ok, err := p.prove(ctx, l, k, flights, next)
		if err != nil {
			return err
		}
		unknown -= e.taken
		if ok {
			proven, covered = e.proves(), 0
			p.mu.Lock()
			flights, next = slices.Clone(p.mu.flights), p.mu.next
			p.mu.Unlock()
			if len(flights) > 0 {
				next = flights[0].Entry.Producer
			}
		}
	}
	if err := p.confirm(ctx, l, conn, k, flights[:covered]); err != nil {
		return err
	}
	if !anew && proven && continues(k, next, flights, covered) {
		return nil
	}
	if err := p.renumber(p.anotherPlace(next, k), !proven); err != nil {
		return err
	}
	if !proven && unknown > 0 {
		p.c.doubles.Add(unknown)
		p.c.log.Warn("the leader has records of us that the journal does not know and the log does not show: they are sent again", "topic", p.at.Topic, "partition", p.at.Number, "possible_doubles", unknown)
	}
	return nil
}

// anotherPlace is a place in the sequence that was never used: the next epoch, or the
// beginning of the id that this life goes by.
func (p *Partition) anotherPlace(next record.Producer, k knowledge) record.Producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.ID != p.mu.id {
		return record.Producer{ID: p.mu.id}
	}
	return nextEpoch(next, k)
}

// adoptID lets what comes next go under the producer id of this life, once nothing is
// left of an earlier one.
func (p *Partition) adoptID() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.flights) == 0 && p.mu.next.ID != p.mu.id {
		p.mu.next, p.mu.highest = record.Producer{ID: p.mu.id}, -1
	}
}

// ask is DescribeProducers (KIP-664) for this partition and one producer id. A broker
// that does not know the request, or a user without READ, leaves asked false.
func (p *Partition) ask(ctx context.Context, conn *wire, id int64) (knowledge, error) {
	if !conn.describes {
		p.mayNotAsk(kerr.UnsupportedVersion)
		return knowledge{}, nil
	}
	req := kmsg.NewPtrDescribeProducersRequest()
	t := kmsg.NewDescribeProducersRequestTopic()
	t.Topic, t.Partitions = p.at.Topic, []int32{p.at.Number}
	req.Topics = append(req.Topics, t)
	resp, err := conn.Call(ctx, req)
	if err != nil {
		return knowledge{}, err
	}
	r := resp.(*kmsg.DescribeProducersResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return knowledge{}, fmt.Errorf("asking who produces to %s-%d: %w", p.at.Topic, p.at.Number, errAnswer)
	}
	part := r.Topics[0].Partitions[0]
	switch err := kerr.ErrorForCode(part.ErrorCode); {
	case err == nil:
	case errors.Is(err, kerr.UnsupportedVersion), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		p.mayNotAsk(err)
		return knowledge{}, nil
	default:
		return knowledge{}, fmt.Errorf("asking who produces to %s-%d: %w", p.at.Topic, p.at.Number, err)
	}
	k := knowledge{asked: true}
	for _, a := range part.ActiveProducers {
		if a.ProducerID == id {
			k.found, k.epoch, k.last, k.when = true, int16(a.ProducerEpoch), a.LastSequence, a.LastTimestamp
		}
	}
	return k, nil
}

// compare says how many of the flights the leader has, and whether it is proven that
// it has not the others. next is the first flight's place in the sequence, or where
// the sequence goes on when there is none.
func compare(k knowledge, next record.Producer, flights []*flight) (covered int, proven bool) {
	switch {
	case !k.found:
		// Nobody of our id: it never came, or the broker has forgotten. What was never
		// sent is not there; what begins the epoch has nothing before it, and is not
		// forgotten so soon.
		return 0, !anyTouched(flights) || next.Sequence == 0 && time.Since(flights[0].first).Abs() < forgetsAfter
	case k.epoch < next.Epoch:
		return 0, true // our epoch never arrived
	case k.epoch > next.Epoch:
		return 0, !anyTouched(flights) // somebody goes by our id
	}
	for covered < len(flights) && flights[covered].Entry.Producer.Epoch == k.epoch && !after(flights[covered].Entry.LastSequence(), k.last) {
		covered++
	}
	if covered < len(flights) {
		return covered, after(flights[covered].Entry.Producer.Sequence, k.last)
	}
	expect := next
	if covered > 0 {
		e := flights[covered-1].Entry
		expect.Sequence = record.AddSequence(e.LastSequence(), 1)
	}
	// Beyond what we ever began: the journal is older than the log.
	return covered, after(expect.Sequence, k.last)
}

// continues says whether the sequence goes on in its epoch where the leader stands.
func continues(k knowledge, next record.Producer, flights []*flight, covered int) bool {
	if covered < len(flights) {
		next = flights[covered].Entry.Producer
	} else if covered > 0 {
		e := flights[covered-1].Entry
		next.Sequence = record.AddSequence(e.LastSequence(), 1)
	}
	if !k.found || k.epoch < next.Epoch {
		return next.Sequence == 0
	}
	return k.epoch == next.Epoch && record.AddSequence(k.last, 1) == next.Sequence
}

// nextEpoch is the beginning of an epoch above all that was used.
func nextEpoch(next record.Producer, k knowledge) record.Producer {
	epoch := next.Epoch
	if k.found {
		epoch = max(epoch, k.epoch)
	}
	return record.Producer{ID: next.ID, Epoch: epoch + 1}
}

// after says whether sequence a comes after b, both on the circle of 2^31.
func after(a, b int32) bool {
	d := (int64(a) - int64(b)) & 0x7fffffff
	return d != 0 && d < 1<<30
}

func anyTouched(flights []*flight) bool {
	for _, f := range flights {
		if f.touched {
			return true
		}
	}
	return false
}

// resend sends the batches of an earlier life one by one, each made from the files
// just before; those of this life go the usual way, behind them.
func (p *Partition) resend(ctx context.Context, conn *wire) error {
	for {
		p.mu.Lock()
		var f *flight
		if len(p.mu.flights) > 0 && p.mu.flights[0].alone {
			f = p.mu.flights[0]
		}
		p.mu.Unlock()
		if f == nil {
			return nil
		}
		if err := p.resendOne(ctx, conn, f); err != nil {
			return err
		}
	}
}

func (p *Partition) resendOne(ctx context.Context, conn *wire, f *flight) error {
	if err := p.load(f); errors.Is(err, ErrDiffers) {
		return p.reframe(f, err)
	} else if err != nil {
		return err
	}
	base, err := p.sendAlone(ctx, conn, f)
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) {
		return p.splitOrStick(f)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.settle(f, base)
	p.mu.Unlock()
	p.finish(f, base)
	return nil
}

// load makes a batch's bytes if it has none.
func (p *Partition) load(f *flight) error {
	if f.Bytes != nil {
		return nil
	}
	b, err := p.c.cfg.Framer.Rebuild(f.Entry)
	if err != nil {
		return fmt.Errorf("making a batch for %s-%d again: %w", p.at.Topic, p.at.Number, err)
	}
	f.Bytes = b
	return nil
}

// sendAlone sends one batch and waits for its answer.
func (p *Partition) sendAlone(ctx context.Context, conn *wire, f *flight) (record.Offset, error) {
	type outcome struct {
		a   answer
		err error
	}
	got := make(chan outcome, 1) // filled at most once, by done
	p.restamp()
	r := &request{sends: []send{{p, f, f.Bytes}}}
	f.touched, f.again = true, true
	err := conn.Send(keyProduce, conn.version, r.body(), func(reply []byte, err error) {
		answers := map[journal.Partition]answer{}
		if err == nil {
			answers, err = parseAnswers(reply, conn.version)
		}
		a, ok := answers[p.at]
		if err == nil && !ok {
			err = errAnswer
		}
		got <- outcome{a, err}
	})
	if err != nil {
		return -1, err
	}
	select {
	case o := <-got:
		if o.err == nil && judge(o.a.code) != stored {
			o.err = fmt.Errorf("sending a batch in doubt to %s-%d again: %w", p.at.Topic, p.at.Number, refusal(o.a))
			if judge(o.a.code) == permanent {
				o.err = stuck(p.at.Topic, o.err)
			}
		}
		return o.a.base, o.err
	case <-ctx.Done():
		return -1, ctx.Err()
	}
}
