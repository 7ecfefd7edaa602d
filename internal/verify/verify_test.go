package verify

import (
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// entry is the account of one file of 100 bytes that are all acknowledged.
func entry() ledger.Entry {
	return ledger.Entry{Host: "h", Path: "/p", Generation: "0000002a", Topic: "t", Read: 100, Acked: 100}
}

// lines gives a Topic records of ten bytes each, from one position to another.
func lines(t *Topic, partition int32, key string, from, to line.Position) {
	for at := from; at < to; at += 10 {
		take(t, partition, key, line.Pos{Generation: 42, Start: at, Length: 10})
	}
}

func one(t *testing.T, topic *Topic) File {
	t.Helper()
	files := topic.Result()
	if len(files) != 1 {
		t.Fatalf("%+v came out, want one file", files)
	}
	return files[0]
}

func TestWhatTheTopicHasDroppedIsNoGap(t *testing.T) {
	topic := NewTopic("t", []ledger.Entry{entry()}, nil)
	topic.Cut(0)
	lines(topic, 0, "h:/p", 40, 100)
	if f := one(t, topic); !f.Whole() || f.Expired != 40 || f.Delivered != 60 {
		t.Errorf("the oldest are gone and it says %+v", f)
	}

	topic = NewTopic("t", []ledger.Entry{entry()}, nil)
	topic.Cut(0)
	lines(topic, 0, "h:/p", 40, 60)
	lines(topic, 0, "h:/p", 70, 100)
	if f := one(t, topic); f.Expired != 40 || len(f.Lost) != 1 || f.Lost[0] != (Range{From: 60, To: 70}) {
		t.Errorf("a record is missing behind the oldest and it says %+v", f)
	}

	topic = NewTopic("t", []ledger.Entry{entry()}, nil)
	topic.Cut(1) // where nothing of it ever was
	lines(topic, 0, "h:/p", 40, 100)
	if f := one(t, topic); f.Whole() || f.Expired != 0 {
		t.Errorf("another partition has dropped records and it says %+v", f)
	}
}

func TestLinesThatCameAfterTheAccountAreNoTrouble(t *testing.T) {
	topic := NewTopic("t", []ledger.Entry{entry()}, nil)
	lines(topic, 0, "h:/p", 0, 100)
	lines(topic, 0, "h:/p", 120, 150) // 100 to 120 is on its way to another partition
	if f := one(t, topic); !f.Whole() || f.Delivered != 130 || !strings.Contains(f.Note, "the account is behind the topic") {
		t.Errorf("it says %+v", f)
	}
}

func TestTheGapOfATruncationIsShownBehindTheEnd(t *testing.T) {
	e := entry()
	e.Lost, e.Gaps = 30, []ledger.Gap{{From: 100, To: 130, AtLeast: true}}
	topic := NewTopic("t", []ledger.Entry{e}, nil)
	lines(topic, 0, "h:/p", 0, 100)
	if f := one(t, topic); len(f.Lost) != 1 || f.Lost[0] != (Range{From: 100, To: 130, Known: true, AtLeast: true}) {
		t.Errorf("it says %+v", f)
	}
}

func TestAfterALostJournalTheBeginningIsNotJudged(t *testing.T) {
	e := entry()
	e.From = ledger.Unknown
	topic := NewTopic("t", []ledger.Entry{e}, nil)
	lines(topic, 0, "h:/p", 30, 100)
	if f := one(t, topic); !f.Whole() || f.Note == "" || f.Delivered != 70 || f.Skipped != 0 || f.Unjudged != 30 {
		t.Errorf("it says %+v", f)
	}
	e.Lost, e.Gaps = 10, []ledger.Gap{{From: 5, To: 15}}
	topic = NewTopic("t", []ledger.Entry{e}, nil)
	topic.Cut(0)
	lines(topic, 0, "h:/p", 30, 100)
	if f := one(t, topic); len(f.Lost) != 1 || f.Lost[0] != (Range{From: 5, To: 15, Known: true}) || f.Unjudged != 20 {
		t.Errorf("the agent itself counts 5-15 as lost and it says %+v", f)
	}
}

func TestRecordsWithoutAKeyBelongToTheirGeneration(t *testing.T) {
	e := entry()
	e.Partition = ledger.AnyPartition
	topic := NewTopic("t", []ledger.Entry{e}, nil)
	for at := line.Position(0); at < 100; at += 10 {
		pos := line.Pos{Generation: 42, Start: at, Length: 10}
		topic.Take(int32(at)%3, &record.Record{Headers: []record.KV{{Key: []byte(line.HeaderPos), Value: pos.Append(nil)}}})
	}
	if f := one(t, topic); !f.Whole() || f.Delivered != 100 {
		t.Errorf("it says %+v", f)
	}
	lines(topic, 0, "h:/p", 0, 10) // and once more with one, after an edit
	if f := one(t, topic); len(f.Doubled) != 1 || f.Doubled[0] != (Range{From: 0, To: 10}) {
		t.Errorf("it says %+v", f)
	}

	other := e
	other.Path = "/q"
	topic.entries = append(topic.entries, other)
	for _, f := range topic.Result() {
		if f.Note == "" || !f.Whole() || f.Unjudged != f.Acked {
			t.Errorf("two files of the same digits and no key: it says %+v", f)
		}
	}
}

func TestFilesThatNoAccountTellsOfAreJudgedByTheirRecords(t *testing.T) {
	topic := NewTopic("t", nil, nil)
	lines(topic, 0, "h:/p", 50, 80)
	lines(topic, 0, "h:/p", 90, 100)
	topic.Take(0, &record.Record{Key: []byte("k"), Value: []byte("somebody else's")})
	topic.Take(0, &record.Record{Headers: []record.KV{{Key: []byte(line.HeaderPos), Value: []byte("nonsense")}}})
	f := one(t, topic)
	if f.Unjudged != 50 || f.Acked != 100 || f.Host != "h" || f.Path != "/p" || f.Generation != "0000002a" || f.Note == "" || len(f.Lost) != 1 || f.Lost[0] != (Range{From: 80, To: 90}) {
		t.Errorf("it says %+v", f)
	}
	if topic.Strange() != 2 {
		t.Errorf("%d records carry no position, want 2", topic.Strange())
	}
}

func TestATopicThatIsGoneHasExpired(t *testing.T) {
	topic := NewTopic("t", []ledger.Entry{entry()}, nil)
	topic.Gone()
	if f := one(t, topic); !f.Whole() || f.Expired != 100 {
		t.Errorf("it says %+v", f)
	}
}

func TestMemoryForRunsThatLieApartIsBounded(t *testing.T) {
	topic := NewTopic("t", []ledger.Entry{entry()}, nil)
	topic.most = 3
	lines(topic, 0, "h:/p", 0, 100) // one run, however many records
	if topic.Full() {
		t.Fatalf("%d runs are kept of ten records that follow each other", topic.apart)
	}
	for at := line.Position(200); at < 400; at += 40 {
		take(topic, 0, "h:/p", line.Pos{Generation: 42, Start: at, Length: 10})
	}
	if !topic.Full() || topic.apart != 4 {
		t.Errorf("%d runs are kept, full %t; want four and no more", topic.apart, topic.Full())
	}
}

func TestFilesThatNobodyAskedForAreNotKept(t *testing.T) {
	topic := NewTopic("t", []ledger.Entry{entry()}, func(host, path string) bool { return host == "h" && path == "/p" })
	lines(topic, 0, "h:/p", 0, 100)
	lines(topic, 0, "h:/q", 0, 100)
	lines(topic, 0, "other:/p", 0, 100)
	if f := one(t, topic); !f.Whole() || f.Path != "/p" {
		t.Errorf("it says %+v", f)
	}
	if topic.apart != 1 {
		t.Errorf("%d runs are kept, want that of the file that was asked for", topic.apart)
	}
}

func TestWhatWasGivenUpIsLostAlsoWhenItsTopicIsGone(t *testing.T) {
	e := entry()
	e.Lost, e.Gaps = 30, []ledger.Gap{{From: 20, To: 50}}
	topic := NewTopic("t", []ledger.Entry{e}, nil)
	topic.Gone()
	if f := one(t, topic); f.Expired != 70 || len(f.Lost) != 1 || f.Lost[0] != (Range{From: 20, To: 50, Known: true}) {
		t.Errorf("it says %+v", f)
	}
	topic = NewTopic("t", []ledger.Entry{e}, nil)
	topic.Cut(0)
	lines(topic, 0, "h:/p", 60, 100)
	if f := one(t, topic); f.Expired != 30 || len(f.Lost) != 1 || f.Lost[0] != (Range{From: 20, To: 50, Known: true}) {
		t.Errorf("with its newest records still there it says %+v", f)
	}
}

func TestWhatWentToAnEarlierTopicOfTheNameHasExpired(t *testing.T) {
	e := entry()
	e.TopicID = "one"
	for id, expired := range map[string]int64{"one": 0, "another": 100, "": 0} { // "": an old broker gives none
		topic := NewTopic("t", []ledger.Entry{e}, nil)
		topic.ID(id)
		if f := one(t, topic); f.Expired != expired || f.Whole() != (expired > 0) {
			t.Errorf("in the topic %q it says %+v", id, f)
		}
	}
	e.Earlier = 40
	topic := NewTopic("t", []ledger.Entry{e}, nil)
	topic.ID("one")
	lines(topic, 0, "h:/p", 50, 100)
	if f := one(t, topic); f.Expired != 40 || len(f.Lost) != 1 || f.Lost[0] != (Range{From: 40, To: 50}) || !strings.Contains(f.Note, "made anew") {
		t.Errorf("made anew at 40 and 40-50 missing, it says %+v", f)
	}
}
