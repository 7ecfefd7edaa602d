package journal

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestGenerationsOfOnePathAreFoundByIt(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	j := openWith(t, cfg)
	put := func(topic, path string, inode uint64) Ref {
		t.Helper()
		g, err := j.Register(Generation{Topic: topic, Path: path, ID: ID{FS: 1, Inode: inode, Birth: 7}})
		if err != nil {
			t.Fatal(err)
		}
		return g.Ref
	}
	refs := []Ref{put("web", "/a", 1), put("web", "/b", 2), put("web", "/a", 3), put("mail", "/a", 1), put("web", "/a", 4)}
	want := func(topic, path string, want ...Ref) {
		t.Helper()
		var got []Ref
		for _, g := range j.At(topic, path) {
			got = append(got, g.Ref)
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %s on its way to %s there are %v, want %v", path, topic, got, want)
		}
	}
	everything := func() {
		t.Helper()
		want("web", "/a", refs[0], refs[2], refs[4])
		want("mail", "/a", refs[3])
		want("web", "/b", refs[1])
		want("web", "/c")
	}
	everything()
	put("web", "/a", 3) // says nothing new
	everything()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openWith(t, cfg)
	everything()
	j.Forget(refs[2])
	want("web", "/a", refs[0], refs[4])
	j.Forget(refs[4])
	want("web", "/a", refs[0])
	j.Forget(refs[0])
	want("web", "/a")
	want("mail", "/a", refs[3])
	j.Forget(refs[3])
	want("mail", "/a")
	if len(j.mu.byPath) != 1 {
		t.Errorf("%d paths are remembered of one generation", len(j.mu.byPath))
	}
}

func TestAFileIsSeenByItsShortName(t *testing.T) {
	now := time.Now()
	j := openWith(t, Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	g, err := j.Register(Generation{Topic: "web", Path: "/a", ID: ID{FS: 1, Inode: 2, Birth: 3}})
	if err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, sawEvery)
	j.SawRef(g.Ref)
	j.SawRef(g.Ref + 1) // nobody
	if have, _ := j.Get(g.Ref); have.Seen != day(now) {
		t.Errorf("it was seen last on day %d, want %d", have.Seen, day(now))
	}
}

// BenchmarkOpen opens a journal of 100,000 files, as a start does.
func BenchmarkOpen(b *testing.B) {
	cfg := Config{Dir: b.TempDir()}
	j, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	for n := range 100_000 {
		if _, err := j.Register(Generation{Topic: "web_log", Path: fmt.Sprintf("/var/log/service-%06d/app.log", n), ID: ID{FS: 1, Inode: uint64(n), Birth: int64(n)}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		j, err := Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
