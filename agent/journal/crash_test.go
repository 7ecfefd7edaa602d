package journal

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/line"
)

func TestWhatWasBegunIsInDoubtAfterAKill(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	ref, err := j.KeepInput("nginx", 12, []byte(`{"topic":"web_log"}`))
	if err != nil {
		t.Fatal(err)
	}
	first := batch(g, 0, 3, 0, 300)
	first.Input = ref
	first.Ranges[0].Carry, first.Ranges[0].Start, first.Ranges[0].Part = 40, 40, 2
	begin(t, j, first)
	second := begin(t, j, batch(g, 3, 2, 300, 500))
	j.Done(first.Seq, 1000)

	j = crash(t, j)
	got := j.InDoubt()[web]
	if len(got) != 1 || !reflect.DeepEqual(got[0], second) {
		t.Fatalf("in doubt: %+v, want %+v", got, second)
	}
	st, _ := j.Partition(web)
	if st.Producer.Sequence != 5 || st.Producer.Epoch != 2 || st.Offset != 1000 || st.TopicID != (TopicID{1}) {
		t.Errorf("partition %+v, want next sequence 5, epoch 2, offset 1000", st)
	}
	k, _ := j.Get(g.Ref)
	if k.Position != 300 || k.Begun != 500 || k.Tail != 5 || k.TailLength != 3 {
		t.Errorf("generation %+v, want acknowledged to 300 and begun to 500", k)
	}
	if in, ok := j.Input(ref); !ok || in.Name != "nginx" || string(in.Data) != `{"topic":"web_log"}` {
		t.Errorf("input %+v", in)
	}
}

func TestAcknowledgedRangesAboveTheLowWatermarkAreKept(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	var seqs []Seq
	for i := range int32(4) {
		seqs = append(seqs, begin(t, j, batch(g, i, 1, line.Position(i)*100, line.Position(i+1)*100)).Seq)
	}
	j.Done(seqs[2], 12)
	j.Done(seqs[1], 11)
	if acked, begun := j.Progress(g.Ref); acked != 0 || begun != 400 {
		t.Fatalf("acknowledged %d, begun %d, want 0 and 400", acked, begun)
	}
	j = crash(t, j)
	j.Done(seqs[0], 10)
	if acked, _ := j.Progress(g.Ref); acked != 300 {
		t.Errorf("acknowledged %d, want 300: the ranges above were acknowledged before the crash", acked)
	}
}

func TestWhatABatchMadeAnewLeavesOutIsLostAndNotWaitedFor(t *testing.T) {
	j := open(t, t.TempDir())
	gone, there := register(t, j, 1), register(t, j, 2)
	mixed := batch(gone, 0, 2, 0, 100)
	mixed.Ranges = append(mixed.Ranges, batch(there, 0, 2, 0, 50).Ranges...)
	begin(t, j, mixed)
	begin(t, j, batch(gone, 4, 1, 100, 130))
	fresh := batch(there, 0, 1, 0, 50)
	if err := j.Replace([]Seq{mixed.Seq}, []*Entry{fresh}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if g, _ := j.Get(gone.Ref); g.Position != 100 || g.Begun != 130 || g.Lost != 100 {
			t.Errorf("the file that is gone: acknowledged %d of %d, lost %d; want 100 of 130, lost 100", g.Position, g.Begun, g.Lost)
		}
		if g, _ := j.Get(there.Ref); g.Position != 0 || g.Begun != 50 || g.Lost != 0 {
			t.Errorf("the file that is there: acknowledged %d of %d, lost %d; want 0 of 50", g.Position, g.Begun, g.Lost)
		}
		j = crash(t, j)
	}
}

func TestSkippedBytesAreCarriedToTheNextRecord(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	for _, to := range []line.Position{100, 250} {
		known, _ := j.Get(g.Ref)
		if err := j.Skip(g.Ref, known.Begun, to, Skips{}); err != nil {
			t.Fatal(err)
		}
	}
	j = crash(t, j)
	if k, _ := j.Get(g.Ref); k.Position != 250 || k.Begun != 250 || k.Carry != 250 {
		t.Fatalf("generation %+v, want 250 skipped", k)
	}
	e := batch(g, 0, 1, 250, 300)
	e.Ranges[0].Carry = 250
	j.Done(begin(t, j, e).Seq, 0)
	if k, _ := j.Get(g.Ref); k.Position != 300 || k.Carry != 0 {
		t.Errorf("generation %+v, want 300 acknowledged and nothing carried", k)
	}
}

func TestATornEndIsCutAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	g := register(t, j, 1)
	begin(t, j, batch(g, 0, 1, 0, 100))
	whole := size(t, j.path(1))
	begin(t, j, batch(g, 1, 1, 100, 200))
	j.Close()
	data, err := os.ReadFile(j.path(1))
	if err != nil {
		t.Fatal(err)
	}
	for cut := int(whole); cut < len(data); cut++ {
		torn := t.TempDir()
		if err := os.WriteFile(torn+"/journal-00000001.log", data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, torn)
		if n := len(again.InDoubt()[web]); n != 1 {
			t.Fatalf("cut at %d: %d batches in doubt, want the first alone", cut, n)
		}
		if (again.Doubt() != "") != (cut > int(whole)) {
			t.Fatalf("cut at %d: doubt is %q", cut, again.Doubt())
		}
		want := whole
		if cut > int(whole) { // that it was torn is written down
			want += int64(len(appendFrame(nil, kindDoubt, again.mu.doubt.append)))
		}
		if got := size(t, again.path(1)); got != want {
			t.Fatalf("cut at %d: the file holds %d bytes afterwards, want %d", cut, got, want)
		}
		again.Close()
	}
}

func TestDamageInTheMiddleIsNamedAndKept(t *testing.T) {
	j := open(t, t.TempDir())
	g := register(t, j, 1)
	e := begin(t, j, batch(g, 0, 1, 0, 100))
	j.Done(e.Seq, 5)
	at := j.mu.size
	begin(t, j, batch(g, 1, 1, 100, 200))
	begin(t, j, batch(g, 2, 1, 200, 300))
	j.Close()
	flip(t, j.path(1), at+frameHead+3)

	j = open(t, j.cfg.Dir)
	if !strings.Contains(j.Doubt(), "damaged at byte") {
		t.Errorf("doubt is %q, want the place of the damage", j.Doubt())
	}
	if acked, begun := j.Progress(g.Ref); acked != 100 || begun != 100 {
		t.Errorf("acknowledged %d, begun %d, want what stands before the damage", acked, begun)
	}
	if size(t, j.path(1)+".damaged") == 0 {
		t.Error("the damaged file was not kept")
	}
	if j = crash(t, j); len(j.InDoubt()) != 0 {
		t.Errorf("in doubt after another start: %v", j.InDoubt())
	}
}

func TestADamagedSnapshotIsNeverReadAsStartAtZero(t *testing.T) {
	j := open(t, t.TempDir())
	register(t, j, 1)
	j.mu.Lock()
	err := j.compact()
	j.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	flip(t, j.path(2), j.mu.base-20)
	_, err = Open(Config{Dir: j.cfg.Dir})
	var damage *DamageError
	if !errors.As(err, &damage) || damage.File != j.path(2) || !strings.Contains(err.Error(), "move the folder") {
		t.Errorf("Open: %v, want a DamageError with its place and the mend", err)
	}
}

func TestANewerVersionIsRefusedByItsNumber(t *testing.T) {
	dir := t.TempDir()
	frame := appendFrame(nil, kindHeader, func(b []byte) []byte { return meta{}.append(putUint(b, version+1)) })
	if err := os.WriteFile(dir+"/journal-00000001.log", frame, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("Open: %v, want the newer version named", err)
	}
}

func TestRule9_AnotherClusterIsRefusedWhileInDoubt(t *testing.T) {
	j := open(t, t.TempDir())
	if err := j.Bind("A", 9); err != nil {
		t.Fatal(err)
	}
	g := register(t, j, 1)
	e := begin(t, j, batch(g, 0, 1, 0, 100))
	if err := j.Bind("B", 9); !errors.Is(err, ErrOtherCluster) {
		t.Fatalf("Bind to another cluster: %v, want ErrOtherCluster", err)
	}
	j.Done(e.Seq, 0)
	if err := j.Bind("B", 3); err != nil {
		t.Fatal(err)
	}
	j = crash(t, j)
	if _, known := j.Partition(web); known || j.Cluster() != "B" || j.Producer() != 3 {
		t.Errorf("cluster %s, producer %d, partition known %v: want B, 3 and nothing of A", j.Cluster(), j.Producer(), known)
	}
}

// flip turns the bits of one byte.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0xff
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
