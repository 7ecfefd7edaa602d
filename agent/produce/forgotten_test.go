package produce

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/agent/produce/producetest"
	"github.com/loghaul/loghaul/internal/record"
)

// diedLongAgo leaves a journal of two days ago: of the very first batch under its id
// nobody knows whether it came. stored says that it did, forgotten that the broker does
// not know the id any more.
func diedLongAgo(t *testing.T, b *producetest.Broker, dir string, stored bool) {
	t.Helper()
	s := newSender(t, b, dir, &fakeFramer{})
	turn, err := s.open(0).Reserve(s.ctx())
	if err != nil {
		t.Fatal(err)
	}
	turn.Cancel()
	s.kill()
	j, err := journal.Open(journal.Config{Dir: dir, Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	e := s.f.entry(web0, 0, 10)
	e.Producer, e.TopicID = turn.Producer, turn.TopicID
	s.f.age = 48 * time.Hour
	bytes, err := s.f.seal(e)
	if err == nil {
		err = j.Begin(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	if stored {
		b.Set(func() {
			if code, _ := b.Append(producetest.Partition(web0), bytes); code != 0 {
				t.Errorf("storing the batch of the dead process: code %d", code)
			}
			clear(b.Log(producetest.Partition(web0)).Seen)
		})
	}
}

// The first batch of an epoch has nothing before it that a broker could miss: that the
// broker does not know us says nothing of it once it had time to forget.
func TestRule4_TheFirstBatchIsLookedForWhenTheBrokerMayHaveForgotten(t *testing.T) {
	for _, stored := range []bool{true, false} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		diedLongAgo(t, b, dir, stored)
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		s.want(b, web0, 20)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("stored %v: %d possible doubles", stored, n)
		}
		s.kill()
	}
}

// The leader has forgotten us while what it has of us is not replicated yet: nobody can
// read it and nobody says that it is there, but for where the leader's own log ends.
func TestRule4_WhatTheLeaderAloneHasIsWaitedForWhenItHasForgottenUs(t *testing.T) {
	for stored := 1; stored <= 5; stored += 2 {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		died(t, b, dir, stored)
		asked := 0
		b.Set(func() {
			l := b.Log(producetest.Partition(web0))
			clear(l.Seen)
			l.Behind = 10
			b.Ended = func(producetest.Partition) {
				if asked++; asked > 4 {
					l.Behind = 0
				}
			}
		})
		s := newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		s.want(b, web0, 70)
		if n := s.c.PossibleDoubles(); n != 0 {
			t.Errorf("stored %d: %d possible doubles", stored, n)
		}
		s.kill()
	}
}

// The replicas of a busy partition are always a little behind its leader, and further than
// they come while one question is asked: it is waited for what the leader had at first.
func TestRule4_ReplicasThatAreAlwaysBehindAreNotWaitedForForEver(t *testing.T) {
	dir, b := t.TempDir(), producetest.New(t, twoParts)
	diedLongAgo(t, b, dir, true)
	others := int64(0)
	b.Set(func() {
		l := b.Log(producetest.Partition(web0))
		l.Behind = 8
		b.Ended = func(producetest.Partition) {
			builder := record.NewBuilder(0)
			builder.Append(0, nil, []byte("of another host"), 0, nil)
			others++
			now := time.Now().UnixMilli()
			sealed, err := builder.Seal(nil, record.Producer{ID: 1<<40 + others}, record.None, now, now)
			if err != nil {
				t.Error(err)
			}
			b.Append(producetest.Partition(web0), sealed)
		}
	})
	s := newSender(t, b, dir, &fakeFramer{})
	p := s.open(0)
	if err := p.Settled(s.ctx()); err != nil {
		t.Fatalf("%v (trouble: %v)", err, p.Trouble())
	}
	if n := s.c.PossibleDoubles(); n != 0 {
		t.Errorf("%d possible doubles", n)
	}
}

// A topic that was upgraded from an old Kafka holds messages of its formats, which are
// nobody's of us and no reason to stop.
func TestRule4_MessagesOfOldFormatsAreReadPast(t *testing.T) {
	dir, b := t.TempDir(), producetest.New(t, twoParts)
	b.Set(func() {
		l := b.Log(producetest.Partition(web0))
		for at := range 3 {
			l.Old = append(l.Old, message(at, int8(at%2))...)
		}
		l.End = 3
	})
	diedLongAgo(t, b, dir, true)
	s := newSender(t, b, dir, &fakeFramer{})
	s.send(s.open(0), 10)
	s.drain()
	s.want(b, web0, 20)
}

// A restored journal whose topic may not be read, or of which too much was cut away: what
// the leader says that it has beyond the journal is sent again, and counted.
func TestRule8_WhatNeitherJournalNorLogShowIsCounted(t *testing.T) {
	for name, blind := range map[string]func(b *producetest.Broker){
		"not allowed": func(b *producetest.Broker) { b.Read = kerr.TopicAuthorizationFailed.Code },
		"cut away":    func(b *producetest.Broker) { b.Log(producetest.Partition(web0)).Start = 30 },
	} {
		dir, b := t.TempDir(), producetest.New(t, twoParts)
		s := newSender(t, b, dir, &fakeFramer{})
		p := s.open(0)
		s.send(p, 10)
		s.drain()
		if err := s.j.Sync(); err != nil {
			t.Fatal(err)
		}
		snapshot := copyFolder(t, dir)
		for range 4 {
			s.send(p, 10)
		}
		s.drain()
		s.kill()
		restore(t, snapshot, dir)
		b.Set(func() { blind(b) })
		s = newSender(t, b, dir, &fakeFramer{})
		s.send(s.open(0), 10)
		s.drain()
		want := int64(40)
		if name == "cut away" {
			want = 20 // of the others it is known that they are there
		}
		if n := s.c.PossibleDoubles(); n != want {
			t.Errorf("%s: %d possible doubles are counted, want %d", name, n, want)
		}
		s.kill()
	}
}

// message is one of format 0 or 1 without a key.
func message(offset int, magic int8) []byte {
	body := []byte{byte(magic), 0}
	if magic == 1 {
		body = binary.BigEndian.AppendUint64(body, 1700000000000)
	}
	body = append(body, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 'o', 'l', 'd')
	m := binary.BigEndian.AppendUint64(nil, uint64(offset))
	m = binary.BigEndian.AppendUint32(m, uint32(len(body)+4))
	return append(binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(body)), body...)
}
