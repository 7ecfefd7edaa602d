package journal

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/disk/crashdisk"
	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// doubted wants the topic to be doubted for a reason that holds word; "": not at all.
func doubted(t *testing.T, j *Journal, topic, word string) Doubt {
	t.Helper()
	d, ok := j.Doubted(topic)
	if ok != (word != "") || !strings.Contains(d.Why, word) {
		t.Fatalf("topic %s: doubted %v (%s), want %q", topic, ok, d.Why, word)
	}
	return d
}

func trust(t *testing.T, j *Journal, topic string) {
	t.Helper()
	if err := j.Trust(topic); err != nil {
		t.Fatal(err)
	}
}

func TestANewJournalIsDoubtedUntilEachTopicWasAsked(t *testing.T) {
	j := openWith(t, Config{Dir: t.TempDir(), Now: clockAt(50)})
	if d := doubted(t, j, "web_log", "never asked"); !d.New || !d.Born.Equal(clockAt(50)()) {
		t.Errorf("a new journal: %+v, want it new and born on day 50", d)
	}
	trust(t, j, "web_log")
	j = crash(t, j)
	doubted(t, j, "web_log", "")
	if d := doubted(t, j, "other", "never asked"); !d.New {
		t.Error("a topic that was not asked is not new")
	}
}

func TestADoubtLastsUntilEachTopicWasAsked(t *testing.T) {
	j := openWith(t, Config{Dir: t.TempDir(), boot: "first"})
	trust(t, j, "web_log")
	trust(t, j, "other")
	instance := j.Instance()
	j.cfg.boot = "second"
	j = openWith(t, j.cfg)
	if d := doubted(t, j, "web_log", "started anew"); d.New || d.Moved {
		t.Errorf("%+v, want neither new nor moved", d)
	}
	trust(t, j, "web_log")
	for _, compacted := range []bool{false, true} {
		if j = openWith(t, j.cfg); compacted {
			j.mu.Lock()
			err := j.compact()
			j.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			j = openWith(t, j.cfg)
		}
		doubted(t, j, "web_log", "")
		doubted(t, j, "other", "started anew")
	}
	trust(t, j, "other")
	j = openWith(t, j.cfg)
	doubted(t, j, "other", "")
	if j.Instance() != instance || instance == "" {
		t.Errorf("instance %q, was %q", j.Instance(), instance)
	}
}

func TestAJournalOfAnotherPlaceGetsAnotherProducerID(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"another host":   func(c *Config) { c.Host = "web-2" },
		"another folder": func(c *Config) { c.place = func(string) string { return "elsewhere" } },
	} {
		j := openWith(t, Config{Dir: t.TempDir(), Host: "web-1"})
		trust(t, j, "web_log")
		if err := j.Bind("A", 9); err != nil {
			t.Fatal(err)
		}
		e := begin(t, j, batch(register(t, j, 1), 0, 1, 0, 100))
		instance := j.Instance()
		change(&j.cfg)
		j = openWith(t, j.cfg)
		if d := doubted(t, j, "web_log", "copied"); !d.Moved {
			t.Errorf("%s: %+v, want it moved", name, d)
		}
		if j.Producer() != -1 || j.Instance() == instance || j.Cluster() != "A" {
			t.Errorf("%s: producer %d, instance %s, cluster %s: want a new id to be asked for and a new instance", name, j.Producer(), j.Instance(), j.Cluster())
		}
		if st, _ := j.Partition(web); st.Producer.ID != 9 || len(j.InDoubt()[web]) != 1 || j.InDoubt()[web][0].Seq != e.Seq {
			t.Errorf("%s: partition %+v: want the old id for what is in doubt", name, st)
		}
		// A second start does not make it less doubted.
		j = openWith(t, j.cfg)
		if d := doubted(t, j, "web_log", "copied"); !d.Moved {
			t.Errorf("%s, after another start: %+v", name, d)
		}
	}
}

func TestAFolderKnowsItsPlace(t *testing.T) {
	dir := t.TempDir()
	for name := range map[string]bool{"a": true, "b": true} {
		if err := os.Mkdir(dir+"/"+name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	place := Config{}.withDefaults().place
	if place(dir+"/a") == place(dir+"/b") || place(dir+"/a") != place(dir+"/a") || place(dir+"/c") != "" {
		t.Errorf("places %q, %q and, of a folder that is not there, %q", place(dir+"/a"), place(dir+"/b"), place(dir+"/c"))
	}
}

func TestWhatIsFoundInATopicIsNotReadAgain(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	j.Done(begin(t, j, batch(g, 0, 1, 0, 100)).Seq, 7)
	for _, step := range []struct{ from, to, position, begun line.Position }{
		{50, 80, 100, 100},   // known already
		{100, 250, 250, 250}, // goes on
		{300, 400, 250, 250}, // above a gap, which is read first
		{250, 300, 400, 400}, // the gap
	} {
		if err := j.Found(g.Ref, step.from, step.to, uint64(step.to), 9); err != nil {
			t.Fatal(err)
		}
		j = crash(t, j)
		if acked, begun := j.Progress(g.Ref); acked != step.position || begun != step.begun {
			t.Fatalf("found %d to %d: acknowledged %d, begun %d; want %d and %d", step.from, step.to, acked, begun, step.position, step.begun)
		}
	}
	if k, _ := j.Get(g.Ref); k.TailLength != 0 {
		t.Errorf("generation %+v: the hash of the bytes before 300 is taken for that of those before 400", k)
	}
	if err := j.Found(g.Ref, 400, 450, 77, 9); err != nil {
		t.Fatal(err)
	}
	if k, _ := crash(t, j).Get(g.Ref); k.Tail != 77 || k.TailLength != 9 {
		t.Errorf("generation %+v, want the hash that was found", k)
	}
	if st, _ := j.Partition(web); st.Floor != 7 {
		t.Errorf("floor %d, want the offset of what was acknowledged", st.Floor)
	}
}

// The last batch before a crash is confirmed after what an unremembered life sent behind it
// was found: the hash of the bytes before its end says nothing about where reading goes on.
func TestABatchConfirmedAfterWhatLiesBehindItLeavesNoHashOfItsEnd(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	e := begin(t, j, batch(g, 0, 1, 0, 100))
	if err := j.Found(g.Ref, 100, 300, 77, 9); err != nil {
		t.Fatal(err)
	}
	j.Done(e.Seq, 7)
	for range 2 {
		if k, _ := j.Get(g.Ref); k.Begun != 300 || k.TailLength != 0 {
			t.Errorf("generation %+v: the hash of the bytes before 100 is taken for that of those before 300", k)
		}
		j = crash(t, j)
	}
}

func TestTheFloorHoldsThroughEpochsAndFallsWithTheTopic(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	j.Done(begin(t, j, batch(g, 0, 1, 0, 100)).Seq, 7)
	e := batch(g, 0, 1, 100, 200)
	e.Producer.Epoch++
	begin(t, j, e)
	if st, _ := crash(t, j).Partition(web); st.Floor != 7 || st.Offset != -1 {
		t.Errorf("%+v: want the floor of the epoch before and no offset of this one", st)
	}
	e = batch(g, 0, 1, 200, 300)
	e.TopicID = TopicID{2}
	begin(t, j, e)
	if st, _ := crash(t, j).Partition(web); st.Floor != -1 {
		t.Errorf("floor %d in a topic that was made anew", st.Floor)
	}
}

func TestAnOlderVersionIsReadAndWrittenAnew(t *testing.T) {
	dir := t.TempDir()
	// What version 1 wrote: meta without a place, a partition without a floor.
	b := appendFrame(nil, kindHeader, func(b []byte) []byte {
		return putInt(putString(putString(putString(putUint(b, 1), "me"), bootID()), "A"), 9)
	})
	b = appendFrame(b, kindPartition, func(b []byte) []byte {
		b = append(putInt(putString(b, web.Topic), int64(web.Number)), make([]byte, 16)...)
		return putInt(putInt(putInt(putInt(putInt(b, 9), 2), 30), 29), 0)
	})
	b = appendFrame(b, kindEnd, func(b []byte) []byte { return putUint(putUint(putUint(b, 1), 1), 1) })
	if err := os.WriteFile(dir+"/journal-00000001.log", b, 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	st, ok := j.Partition(web)
	if !ok || st.Floor != 29 || st.Producer.Sequence != 30 || j.Instance() != "me" || j.Producer() != 9 {
		t.Errorf("partition %+v, instance %s, producer %d", st, j.Instance(), j.Producer())
	}
	doubted(t, j, web.Topic, "") // an older version asked nobody, and lost nothing
	if j.mu.number != 2 {
		t.Errorf("file %d is written to, want a new one whose header says what may stand in it", j.mu.number)
	}
}

// A journal of version 1 wrote down the highest offset only: an open batch may lie below.
func TestAnOlderVersionWithOpenBatchesHasNoFloor(t *testing.T) {
	dir := t.TempDir()
	e := &Entry{Seq: 1, Partition: web, Producer: record.Producer{ID: 9, Epoch: 2, Sequence: 20}, Count: 10, Begun: time.UnixMilli(1)}
	b := appendFrame(nil, kindHeader, func(b []byte) []byte {
		return putInt(putString(putString(putString(putUint(b, 1), "me"), bootID()), "A"), 9)
	})
	b = appendFrame(b, kindBegin, e.appendWhole)
	b = appendFrame(b, kindPartition, func(b []byte) []byte {
		b = append(putInt(putString(b, web.Topic), int64(web.Number)), make([]byte, 16)...)
		return putInt(putInt(putInt(putInt(putInt(b, 9), 2), 40), 39), 0)
	})
	b = appendFrame(b, kindEnd, func(b []byte) []byte { return putUint(putUint(putUint(b, 1), 1), 1) })
	if err := os.WriteFile(dir+"/journal-00000001.log", b, 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	if st, ok := j.Partition(web); !ok || st.Floor != -1 || st.Offset != 39 {
		t.Errorf("partition %+v, want no floor", st)
	}
}

// A journal that was put back may have asked a topic, and sent to it, in the life that it
// does not know: nothing that is there now is too young to have been sent.
func TestARestoredJournalAsksANewTopicUpToNow(t *testing.T) {
	dir, began := t.TempDir(), time.Now().Add(-48*time.Hour)
	where := "there"
	cfg := Config{Dir: dir, Now: func() time.Time { return began }, place: func(string) string { return where }}
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := j.Doubted("other"); !d.New || d.Born.After(began) {
		t.Errorf("a new journal: %+v, want born at %s", d, began)
	}
	j.Close()
	cfg.Now = time.Now
	cfg.place = func(name string) string {
		if name == dir {
			return where
		}
		return "another file"
	}
	if j, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if d, ok := j.Doubted("other"); !ok || !d.New || time.Since(d.Born) > time.Hour {
		t.Errorf("a restored journal: %+v, want all files looked for", d)
	}
}

// What was taken over must outlast a power cut, and what a batch goes by: else the next
// start asks the topic as of the time when the journal was begun, and by another id.
func TestWhatSendingRestsOnIsOnTheDiskBeforeAnythingIsSent(t *testing.T) {
	for seed := range uint64(20) {
		d, dir := crashdisk.New(), t.TempDir()
		j := openWith(t, Config{Dir: dir, Disk: d})
		if err := j.Bind("A", 9); err != nil {
			t.Fatal(err)
		}
		trust(t, j, "web_log")
		if err := j.Bind("A", 10); err != nil { // the epochs of 9 are used up
			t.Fatal(err)
		}
		g := register(t, j, 1)
		begin(t, j, batch(g, 0, 1, 0, 100))
		e := batch(g, 0, 1, 100, 200)
		e.Producer.ID = 11
		begin(t, j, e)
		cut := filepath.Join(t.TempDir(), "cut")
		if err := d.PowerCut(rand.New(rand.NewPCG(seed, 5)), dir, cut); err != nil {
			t.Fatal(err)
		}
		after := openWith(t, Config{Dir: cut, boot: "another"})
		if d := doubted(t, after, "web_log", "started anew"); d.New || after.Producer() != 10 || after.Cluster() != "A" {
			t.Fatalf("seed %d: after the cut %+v, producer %d, cluster %s: want it asked already, and producer 10 of A", seed, d, after.Producer(), after.Cluster())
		}
		if st, _ := after.Partition(web); st.Producer.ID != 11 {
			t.Fatalf("seed %d: after the cut the partition goes by %d, want 11, which it was begun under", seed, st.Producer.ID)
		}
	}
}

func TestAJournalThatWasPutBackFromACopyIsDoubted(t *testing.T) {
	dir := t.TempDir()
	real := Config{}.withDefaults().place
	j := openWith(t, Config{Dir: dir, place: real})
	trust(t, j, "web_log")
	j = openWith(t, j.cfg)
	doubted(t, j, "web_log", "")
	if err := j.compactNow(); err != nil {
		t.Fatal(err)
	}
	name := j.path(j.mu.number)
	j = openWith(t, j.cfg)
	doubted(t, j, "web_log", "") // it went on in another file by itself
	kept, err := os.ReadFile(name)
	if err == nil {
		err = os.Rename(name, name+".kept")
	}
	if err == nil {
		err = os.WriteFile(name, kept, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	j = openWith(t, j.cfg)
	doubted(t, j, "web_log", "restored")
	if err := j.compactNow(); err != nil {
		t.Fatal(err)
	}
	doubted(t, openWith(t, j.cfg), "web_log", "restored") // until it was asked
}

func (j *Journal) compactNow() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.compact()
}
