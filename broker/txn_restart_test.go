package broker_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// on lets the producer go on at another broker.
func (c *txnConn) on(r *running) *txnConn {
	other := *c
	other.t, other.conn = r.t, r.dial()
	return &other
}

// image copies a data folder while its broker runs: what kill -9 would leave.
func image(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "image")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// cutLast takes the last batch from a partition's log and returns how many are left.
func cutLast(t *testing.T, dir string) int {
	t.Helper()
	segments, err := fs.Glob(os.DirFS(dir), "*.log")
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments in %s: %v, %v", dir, segments, err)
	}
	path := filepath.Join(dir, segments[0])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at, n := 0, 0
	for rest := data; ; n++ {
		h, err := record.ParseHeader(rest)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) == h.Size() {
			break
		}
		at, rest = at+h.Size(), rest[h.Size():]
	}
	if err := os.Truncate(path, int64(at)); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAKillInAnyStateLosesNoTransaction(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}})
	c := r.txnConn("orders").init()
	type moment struct {
		name, state, dir string
		producer         txnConn
	}
	var moments []moment
	take := func(name, state string) {
		p := *c
		p.seq = map[string]int32{"web_log": c.seq["web_log"]}
		moments = append(moments, moment{name, state, image(t, dir), p})
	}
	take("after InitProducerId", "Empty/0/0")
	wantCodes(t, "AddPartitionsToTxn", c.add(3, "web_log"), 0)
	take("after AddPartitionsToTxn", "Ongoing/1/0")
	wantCode(t, "Produce", 9, c.put("web_log", "a"), 0)
	take("after Produce", "Ongoing/1/0")
	wantCode(t, "AddOffsetsToTxn", 3, c.addOffsets(3, "g"), 0)
	take("after AddOffsetsToTxn", "Ongoing/2/0")
	wantCode(t, "TxnOffsetCommit", 3, c.commitOffset(3, "g", "web_log", 5), 0)
	take("after TxnOffsetCommit", "Ongoing/2/0")
	wantCode(t, "EndTxn", 3, c.end(3, true), 0)
	take("after EndTxn", "CompleteCommit/0/0")
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			r := start(t, broker.Config{Data: m.dir})
			c := m.producer.on(r)
			if got := c.state(); got != m.state {
				t.Fatalf("after the restart: %s, want %s", got, m.state)
			}
			if m.state != "CompleteCommit/0/0" { // the producer goes on where it was
				wantCodes(t, "AddPartitionsToTxn", c.add(3, "web_log"), 0)
				wantCode(t, "Produce", 9, c.put("web_log", "b"), 0)
				wantCode(t, "AddOffsetsToTxn", 3, c.addOffsets(3, "g"), 0)
				wantCode(t, "TxnOffsetCommit", 3, c.commitOffset(3, "g", "web_log", 5), 0)
				wantCode(t, "EndTxn", 3, c.end(3, true), 0)
			}
			want := map[string]int{"after InitProducerId": 1, "after AddPartitionsToTxn": 1, "after EndTxn": 1}[m.name]
			if want == 0 {
				want = 2
			}
			if got := r.values("web_log", kgo.ReadCommitted(), want); len(got) != want {
				t.Errorf("committed records are %v, want %d", got, want)
			}
			if got, code := c.offset("g", "web_log", true); got != 5 || code != 0 {
				t.Errorf("committed offset %d (%d), want 5", got, code)
			}
			if code := m.producer.on(r).init().add(3, "web_log"); code[0] != 0 {
				t.Errorf("the next producer cannot begin: %v", code)
			}
		})
	}
}

// The decision is on the disk and no partition has heard it: a copy of the data folder that is cut back to there.
func TestAKillBetweenTheDecisionAndTheMarkersIsMadeGood(t *testing.T) {
	for _, commit := range []bool{true, false} {
		for _, told := range []string{"nobody", "web_log-0", "__consumer_offsets-0"} {
			t.Run(fmt.Sprintf("commit %v, told %s", commit, told), func(t *testing.T) {
				dir := t.TempDir()
				r := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}})
				c := r.txnConn("orders").init()
				c.add(3, "web_log")
				wantCode(t, "Produce", 9, c.put("web_log", "a"), 0)
				c.addOffsets(3, "g")
				wantCode(t, "TxnOffsetCommit", 3, c.commitOffset(3, "g", "web_log", 5), 0)
				wantCode(t, "EndTxn", 3, c.end(3, commit), 0)
				dir = image(t, dir)
				for name, want := range map[string]int{"__transaction_state-0": 4, "web_log-0": 1, "__consumer_offsets-0": 1} {
					if name != told {
						if left := cutLast(t, filepath.Join(dir, name)); left != want {
							t.Fatalf("%s has %d batches left, want %d", name, left, want)
						}
					}
				}
				r = start(t, broker.Config{Data: dir})
				c = c.on(r)
				end := "CompleteAbort/0/0"
				if commit {
					end = "CompleteCommit/0/0"
				}
				eventually(t, "the end of the transaction", func() bool { return c.state() == end })
				offset, code := c.offset("g", "web_log", true)
				wantOffset := int64(-1)
				if commit {
					wantOffset = 5
				}
				if offset != wantOffset || code != 0 {
					t.Errorf("committed offset %d (%d), want %d", offset, code, wantOffset)
				}
				c = c.init()
				c.add(3, "web_log")
				wantCode(t, "Produce", 9, c.put("web_log", "b"), 0)
				wantCode(t, "EndTxn", 3, c.end(3, true), 0)
				want := "[b]"
				if commit {
					want = "[a b]"
				}
				if got := fmt.Sprint(r.values("web_log", kgo.ReadCommitted(), len(want)/2)); got != want {
					t.Errorf("committed records are %s, want %s", got, want)
				}
			})
		}
	}
}

// The partitions refuse ends of a coordinator older than the last they heard, so it must not become younger.
func TestTransactionsEndWhenTheBrokersEpochIsLost(t *testing.T) {
	dir := t.TempDir()
	start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}}) // the first epoch
	var c *txnConn
	for _, lost := range []bool{false, true} {
		dir = image(t, dir)
		if lost {
			if err := os.Remove(filepath.Join(dir, "meta.properties")); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, broker.Config{Data: dir})
		c = r.txnConn("orders").init()
		c.add(3, "web_log")
		wantCode(t, "Produce", 9, c.put("web_log", "a"), 0)
		wantCode(t, "EndTxn", 3, c.end(3, true), 0)
		if got := c.state(); got != "CompleteCommit/0/0" {
			t.Errorf("with the epoch lost (%t) the transaction is %s", lost, got)
		}
	}
}

func TestATopicDeletedBeforeTheEndHoldsNothingUp(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1", "other:1"}})
	c := r.txnConn("orders").init()
	c.add(3, "web_log", "other")
	wantCode(t, "Produce", 9, c.put("web_log", "a"), 0)
	wantCode(t, "Produce", 9, c.put("other", "b"), 0)
	r.deleteTopic("web_log")
	wantCode(t, "EndTxn", 3, c.end(3, true), 0)
	if got := c.state(); got != "CompleteCommit/0/0" {
		t.Errorf("after the end: %s", got)
	}
	if got := fmt.Sprint(r.values("other", kgo.ReadCommitted(), 1)); got != "[b]" {
		t.Errorf("the other topic has %s", got)
	}
}

func (r *running) deleteTopic(name string) {
	r.t.Helper()
	if _, err := kadm.NewClient(r.client()).DeleteTopic(r.t.Context(), name); err != nil {
		r.t.Fatal(err)
	}
}
