package worker

import (
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// Status is where one partition stands.
type Status struct {
	Topic      string
	Partition  int32
	Moving     bool          // taken over: records flow, or would
	Next       record.Offset // the sink has stored everything before it; -1: not known yet
	Committed  record.Offset // acknowledged by the group; -1: nothing yet
	LagRecords int64         // in the topic but not stored
	LagBytes   int64         // the same in bytes of lines, estimated by what was stored lately
	LagMs      int64         // age of the oldest record that is not stored, at least
	Lost       int64         // records that retention took before they were read
	Stopped    bool          // it stands still until somebody mends what Err says
	Err        error         // why nothing moves; nil when all is well
}

// progress is what a Worker knows about itself.
type progress struct {
	feed      *feed
	stored    record.Offset
	committed record.Offset
	lastTime  int64   // of the last stored record, ms since 1970
	caughtUp  int64   // when there was nothing left to store, ms since 1970
	mean      float64 // bytes a record, lately
	err       error   // of the sink or of taking over
	bad       error   // of the decoder
}

// Status says where the partition stands. It may be called at any time.
func (w *Worker) Status() Status {
	p := w.look()
	s := Status{Topic: w.cfg.Topic, Partition: w.cfg.Partition, Next: p.stored, Committed: p.committed, Err: p.err}
	if s.Err == nil {
		s.Err = p.bad
	}
	if p.feed != nil {
		high, lost, trouble := p.feed.look()
		s.Moving, s.Lost = true, lost
		if s.Err == nil {
			s.Err = trouble
		}
		if high > p.stored {
			s.LagRecords = int64(high - p.stored)
			s.LagBytes = int64(float64(s.LagRecords) * p.mean)
			if since := max(p.lastTime, p.caughtUp); since > 0 {
				s.LagMs = max(0, time.Now().UnixMilli()-since)
			}
		}
	}
	s.Stopped = sink.Stops(s.Err)
	return s
}

// look is a copy of the state, which notes whether there is anything left to store.
func (w *Worker) look() progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.state.noteCaughtUp()
	return w.mu.state
}

func (p *progress) noteCaughtUp() {
	if p.feed == nil {
		return
	}
	if high, _, _ := p.feed.look(); high <= p.stored {
		p.caughtUp = time.Now().UnixMilli()
	}
}

func (w *Worker) started(f *feed, from record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.state.feed, w.mu.state.stored, w.mu.state.err = f, from, nil
}

func (w *Worker) stored(p *parcel) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.mu.state
	s.stored, s.err = p.Next, nil
	s.noteCaughtUp()
	if n := len(p.Records); n > 0 {
		s.lastTime = p.Records[n-1].Time
		mean := float64(p.bytes) / float64(n)
		if s.mean == 0 {
			s.mean = mean
		}
		s.mean += (mean - s.mean) / 8
	}
}

func (w *Worker) commitLanded(next record.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.state.committed = next
}

func (w *Worker) committed() record.Offset {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.state.committed
}

// failing notes an error of the sink, or of taking over; it is logged when it is new.
func (w *Worker) failing(err error) {
	w.mu.Lock()
	was := w.mu.state.err
	w.mu.state.err = err
	w.mu.Unlock()
	if was == nil || was.Error() != err.Error() {
		w.cfg.Logger.Warn("a partition waits", "topic", w.cfg.Topic, "partition", w.cfg.Partition, "error", err)
	}
}

// blocked notes what the decoder cannot take; nil when it goes on.
func (w *Worker) blocked(err error) {
	w.mu.Lock()
	was := w.mu.state.bad
	w.mu.state.bad = err
	w.mu.Unlock()
	if err != nil && (was == nil || was.Error() != err.Error()) {
		w.cfg.Logger.Error("a partition stands still", "topic", w.cfg.Topic, "partition", w.cfg.Partition, "error", err)
	}
}

func (w *Worker) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.draining
}
