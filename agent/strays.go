package agent

import (
	"sync"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/internal/line"
)

// stray is a stored run whose records have no key and whose generation the journal does
// not know. ours: it is of our producer id; else another host may have sent it.
type stray struct {
	batch.Run
	ours bool
}

// strays are looked for once the inputs have their files.
type strays struct {
	sync.Mutex
	runs  []stray
	taken []takenRun
}

// takenRun is a stored run that was taken over into the journal.
type takenRun struct {
	ref      journal.Ref
	from, to line.Position
	records  int64
}

// took notes such a run that lies behind bytes of which nothing is known yet. Without a key
// batches go to several partitions: one may be stored though one before it is not. false: there is no room to look at that later.
func (s *strays) took(ref journal.Ref, run batch.Run) bool {
	s.Lock()
	defer s.Unlock()
	for i := len(s.taken) - 1; i >= max(0, len(s.taken)-64); i-- {
		if last := &s.taken[i]; last.ref == ref && last.to == run.From {
			last.to, last.records = run.To, last.records+run.Records
			return true
		}
	}
	if len(s.taken) >= straysMost {
		return false
	}
	s.taken = append(s.taken, takenRun{ref, run.From, run.To, run.Records})
	return true
}

// countBeyond counts what was taken over and lies behind bytes that are not stored:
// reading goes on before those, and what lies behind them is sent again.
func (t *topic) countBeyond() {
	t.strays.Lock()
	taken := t.strays.taken
	t.strays.taken = nil
	t.strays.Unlock()
	for _, run := range taken {
		if _, begun := t.a.journal.Progress(run.ref); run.from >= begun && run.to > begun {
			t.a.client.MayDouble(run.records)
			t.a.journal.Doubled(run.ref, run.records)
		}
	}
}

// straysMost bounds them.
const straysMost = 1 << 16

// add takes a run up; false: there is no room, and what it is of is sent again.
func (s *strays) add(run stray) bool {
	s.Lock()
	defer s.Unlock()
	for i := len(s.runs) - 1; i >= max(0, len(s.runs)-64); i-- {
		if last := &s.runs[i]; last.Generation == run.Generation && last.ours == run.ours && last.To == run.From {
			last.To, last.Records = run.To, last.Records+run.Records
			return true
		}
	}
	if len(s.runs) >= straysMost {
		return false
	}
	run.Last = nil // it is the finder's
	s.runs = append(s.runs, run)
	return true
}

func (s *strays) take() []stray {
	s.Lock()
	defer s.Unlock()
	runs := s.runs
	s.runs = nil
	return runs
}

// put gives back what was taken.
func (s *strays) put(runs []stray) {
	s.Lock()
	defer s.Unlock()
	s.runs = append(runs, s.runs...)
}
