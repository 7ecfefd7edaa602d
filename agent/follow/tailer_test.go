package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// clock is a test's own time: the system's, put forward by hand.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time               { return time.Now().Add(c.ahead) }
func (c *clock) forward(d time.Duration)      { c.ahead += d }
func (c *clock) set(s *Stream) *Stream        { s.now = c.now; return s }
func pathIn(t *testing.T, name string) string { t.Helper(); return filepath.Join(t.TempDir(), name) }

// tailer reads a Stream as the agent does and checks what every Chunk promises.
type tailer struct {
	t      *testing.T
	s      *Stream
	clock  *clock
	buf    []byte
	text   strings.Builder        // all data in the order it came
	ends   map[ID]line.Position   // where the next Chunk of a generation must begin
	acks   map[ID]Checkpoint      // as a journal would keep them
	ended  []Checkpoint           // of generations that are over, which a journal keeps for a while
	gens   []ID                   // in the order of their first bytes
	finals []Chunk                // without their data
	pieces []string               // "part/last:length" of split lines
	skips  int64                  // all bytes skipped
	seen   map[line.Generation]ID // no two generations share a number here
}

func tail(t *testing.T, cfg Config) *tailer {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	tl := &tailer{t: t, clock: &clock{}, buf: make([]byte, 64<<10), ends: make(map[ID]line.Position),
		acks: make(map[ID]Checkpoint), seen: make(map[line.Generation]ID)}
	tl.s = tl.clock.set(New(cfg))
	t.Cleanup(func() { tl.s.Close() })
	return tl
}

// restart ends the Stream as a kill would and begins again at what was acknowledged.
func (tl *tailer) restart(cfg Config) {
	tl.t.Helper()
	tl.s.Close()
	cfg.Resume = tl.checkpoints()
	for _, cp := range tl.ended {
		if _, again := tl.acks[cp.ID]; !again {
			cfg.Resume = append(cfg.Resume, cp)
		}
	}
	tl.s = tl.clock.set(New(cfg))
	tl.ends = make(map[ID]line.Position)
}

func (tl *tailer) checkpoints() []Checkpoint {
	var cps []Checkpoint
	for _, cp := range tl.acks {
		cps = append(cps, cp)
	}
	slices.SortFunc(cps, func(a, b Checkpoint) int { return int(a.ID.Inode) - int(b.ID.Inode) })
	return cps
}

// poll looks once and reads until there is nothing new, and gives what came.
func (tl *tailer) poll() string {
	tl.t.Helper()
	from := tl.text.Len()
	if _, err := tl.s.Look(); err != nil {
		tl.t.Fatalf("Look: %v", err)
	}
	for {
		c, err := tl.s.Next(tl.buf)
		switch err {
		case nil:
			tl.take(c)
		case ErrFar:
		case ErrIdle, ErrWait:
			return tl.text.String()[from:]
		case ErrBuffer:
			tl.buf = make([]byte, BufferSize(tl.s.cfg.MaxLine))
		default:
			tl.t.Fatalf("Next: %v", err)
		}
	}
}

// quiet polls, lets the quiet time pass and polls again.
func (tl *tailer) quiet() string {
	tl.t.Helper()
	text := tl.poll()
	tl.clock.forward(time.Second)
	return text + tl.poll()
}

// take checks c against what is known of its generation.
func (tl *tailer) take(c Chunk) {
	tl.t.Helper()
	if c.Generation != c.ID.Generation() {
		tl.t.Errorf("Chunk of %v says generation %s, its ID says %s", c.ID, c.Generation, c.ID.Generation())
	}
	if id, ok := tl.seen[c.Generation]; ok && id != c.ID {
		tl.t.Errorf("generation %s is both %v and %v", c.Generation, id, c.ID)
	}
	tl.seen[c.Generation] = c.ID
	if want, ok := tl.ends[c.ID]; ok && c.Start != want+line.Position(c.Skipped) {
		tl.t.Errorf("generation %s goes on at %d after %d with %d skipped", c.Generation, c.Start, want, c.Skipped)
	}
	if !ok(tl.gens, c.ID) && len(c.Data) > 0 {
		tl.gens = append(tl.gens, c.ID)
	}
	end := c.Start + line.Position(len(c.Data))
	tl.ends[c.ID] = end
	tl.skips += c.Skipped
	tl.text.Write(c.Data)
	switch {
	case c.Part > 0:
		tl.pieces = append(tl.pieces, fmt.Sprintf("%d/%t:%d", c.Part, c.PartLast, len(c.Data)))
	case len(c.Data) > 0 && c.Data[len(c.Data)-1] != '\n' && !c.Final:
		tl.t.Errorf("a Chunk of whole lines ends with %q", c.Data[max(0, len(c.Data)-20):])
	}
	h, n := Tail(c.Data)
	tl.acks[c.ID] = Checkpoint{ID: c.ID, Path: c.Path, Began: c.Began, Position: end, Head: c.Head, HeadLength: c.HeadLength, Tail: h, TailLength: n}
	if c.Final {
		final := c
		final.Data = nil
		tl.finals = append(tl.finals, final)
	}
	if c.Gone {
		over := tl.acks[c.ID]
		over.Ended = true
		tl.ended = append(slices.DeleteFunc(tl.ended, func(cp Checkpoint) bool { return cp.ID == c.ID }), over)
		delete(tl.acks, c.ID)
	}
}

func ok(ids []ID, id ID) bool { return slices.Contains(ids, id) }

// want says what poll must have given.
func (tl *tailer) want(got, want string) {
	tl.t.Helper()
	if got != want {
		tl.t.Fatal(differ(got, want))
	}
}

// differ shows where got and want part.
func differ(got, want string) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	from := max(0, at-100)
	return fmt.Sprintf("read %d bytes, want %d; they differ from byte %d on:\nread %q\nwant %q", len(got), len(want), at,
		got[from:min(len(got), at+200)], want[from:min(len(want), at+200)])
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// numbered gives lines from to to-1, each of them unlike every other.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %06d of the log, with some more text so that it has a usual length %d\n", i, i*i)
	}
	return b.String()
}
