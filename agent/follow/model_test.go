package follow

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/line"
)

// model is a writer and a rotator that know every line, and a reader whose
// acknowledgements lag behind and who is killed now and then. Files are renamed,
// truncated with and without a copy, replaced, deleted while they are written and not
// read, moved away and back. At any time what was read must be what was written, in
// order, up to some byte.
type model struct {
	t       *testing.T
	r       *rand.Rand
	path    string
	w       *os.File
	n       int             // lines and files made
	written strings.Builder // everything, fragments too
	open    bool            // the last line has no end yet
	rotated []string        // names with all that was ever in them still there
	log     []string        // what was done, for the failure

	tl    *tailer
	cfg   Config
	acked int // bytes of tl.text
	acks  map[ID]Checkpoint
	sent  []delivery
	sp    *memorySpool
	blind bool // something was written to a file without a name since the last look
}

type delivery struct {
	cp   Checkpoint
	gone bool
	end  int // of tl.text
}

// TestModelOfAWriterARotatorAndKills takes LOGHAUL_MODEL_STEPS steps, 400 with each
// seed from LOGHAUL_SEED on. TMPDIR on a tmpfs makes it fast; ext4 gives inodes again.
func TestModelOfAWriterARotatorAndKills(t *testing.T) {
	steps, first := 4000, 0
	if testing.Short() {
		steps = 1200
	}
	if n, err := strconv.Atoi(os.Getenv("LOGHAUL_MODEL_STEPS")); err == nil {
		steps = n
	}
	if n, err := strconv.Atoi(os.Getenv("LOGHAUL_SEED")); err == nil {
		first = n
	}
	t.Cleanup(func() {
		if slept.Load() == 0 {
			t.Error("no reader ever came to rest")
		}
	})
	for seed := first; seed < first+(steps+399)/400; seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, uint64(seed))
			for range 400 {
				m.step()
			}
			m.finish()
		})
	}
}

func newModel(t *testing.T, seed uint64) *model {
	path := pathIn(t, "app.log")
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 1)), path: path, acks: make(map[ID]Checkpoint), sp: newMemorySpool()}
	m.cfg = Config{Path: path, DeletedAge: time.Hour, MaxLine: 2000, Spool: m.sp}
	m.cfg.Logger = slog.New(slog.NewTextHandler(m, nil))
	m.create()
	m.tl = tail(t, m.cfg)
	t.Cleanup(func() {
		m.w.Close()
		if t.Failed() {
			t.Log(strings.Join(m.log, " "))
		}
	})
	m.poll()
	return m
}

// Write takes in what the Stream tells, for the failure.
func (m *model) Write(b []byte) (int, error) {
	m.did("\n" + string(b))
	return len(b), nil
}

func (m *model) did(what string) { m.log = append(m.log, what) }

func (m *model) create() {
	if m.w != nil {
		m.w.Close()
	}
	w, err := os.OpenFile(m.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(m.t, err)
	m.w = w
}

func (m *model) step() {
	switch k := m.r.IntN(100); {
	case k < 40:
		m.write()
	case k < 60:
		m.poll()
	case k < 66:
		m.did("forward")
		m.tl.clock.forward(time.Duration(m.r.IntN(1000)) * time.Millisecond)
	case k < 76:
		m.rotate()
	case k < 78:
		m.sleep()
	case k < 82:
		m.did("release")
		m.tl.s.Release()
	case k < 83:
		m.truncate()
	case k < 85:
		m.copyTruncate()
	case k < 89:
		m.replace()
	case k < 91:
		m.removeOld()
	case k < 92:
		m.compressOld()
	case k < 93:
		m.moveAwayAndBack()
	default:
		m.restart()
	}
}

// write appends whole lines and sometimes a fragment, or goes on with one.
func (m *model) write() {
	var b strings.Builder
	for range m.r.IntN(20) {
		m.n++
		fmt.Fprintf(&b, "line %d %s\n", m.n, strings.Repeat("x", m.r.IntN(1+m.r.IntN(300))))
		m.open = false
	}
	if m.r.IntN(4) == 0 {
		m.n++
		fmt.Fprintf(&b, "begun %d ", m.n)
		m.open = true
	}
	m.did(fmt.Sprintf("write%d", b.Len()))
	m.written.WriteString(b.String())
	_, err := m.w.WriteString(b.String())
	must(m.t, err)
}

// endLine ends a begun line, so that what follows in another file is a line of its own.
func (m *model) endLine() {
	if m.open {
		m.written.WriteString("end\n")
		_, err := m.w.WriteString("end\n")
		must(m.t, err)
		m.open = false
	}
}

// rotate renames the file; the writer goes on in it for a while, or not.
func (m *model) rotate() {
	m.n++
	name := fmt.Sprintf("%s.%06d", m.path, m.n)
	m.did("rotate")
	if err := os.Rename(m.path, name); err != nil {
		return
	}
	m.rotated = append(m.rotated, name)
	if m.r.IntN(2) == 0 {
		m.write()
	}
	if m.r.IntN(3) == 0 {
		m.poll()
	}
	m.endLine()
	tick(m.t, m.path)
	m.create()
}

// truncate truncates what has been read and acknowledged whole.
func (m *model) truncate() {
	m.endLine()
	m.settle()
	m.did("truncate")
	must(m.t, os.Truncate(m.path, 0))
}

// copyTruncate leaves a copy, from which what was not read is to be had. One that is too
// short to be known again, or holds nothing that was read, must have been read whole.
func (m *model) copyTruncate() {
	m.endLine()
	m.poll()
	if g := m.tl.s.at; g == nil || g.headLen < copyLeast || m.acks[g.id].HeadLength < copyLeast || m.acks[g.id].Position == 0 {
		m.settle()
	} else if m.r.IntN(2) == 0 {
		m.write()
		m.endLine()
	}
	m.n++
	name := fmt.Sprintf("%s.%06d", m.path, m.n)
	m.did("copytruncate")
	tick(m.t, m.path)
	b, err := os.ReadFile(m.path)
	must(m.t, err)
	must(m.t, os.WriteFile(name, b, 0o644))
	must(m.t, os.Truncate(m.path, 0))
	tick(m.t, m.path)
	m.poll() // a copy of what was truncated unseen is found by the next life's eyes only
	m.settle()
}

// holds says whether the reader has the named file open, or nothing to read in it.
func (m *model) holds(name string) bool {
	info, err := statPath(name)
	must(m.t, err)
	for _, g := range append(m.tl.s.held(), m.tl.s.lingering...) {
		if g.key == info.key {
			return g.file.open() && !g.copied
		}
	}
	return false
}

// removeOld deletes the oldest rotated file.
func (m *model) removeOld() {
	if len(m.rotated) == 0 {
		return
	}
	if !m.holds(m.rotated[0]) {
		m.settle()
	}
	m.did("rm")
	must(m.t, os.Remove(m.rotated[0]))
	m.rotated = m.rotated[1:]
	m.blind = true
}

// look stats and keeps what lost its name.
func (m *model) look() {
	m.did("look")
	if _, err := m.tl.s.Look(); err != nil {
		m.t.Fatal(err)
	}
	m.blind = false
	m.learn()
}

// settle reads and acknowledges all whole lines.
func (m *model) settle() {
	m.poll()
	m.tl.clock.forward(time.Second)
	m.poll()
	m.tl.clock.forward(time.Second)
	m.poll()
	m.ack(len(m.sent))
	whole := m.written.String()
	whole = whole[:strings.LastIndexByte(whole, '\n')+1]
	if m.tl.text.String() != whole {
		m.fail(whole)
	}
}

func (m *model) poll() {
	m.did("poll")
	m.look()
	for {
		c, err := m.tl.s.Next(m.tl.buf)
		if err == ErrFar {
			continue
		}
		if err == ErrIdle {
			break
		}
		must(m.t, err)
		before := m.tl.acks[c.ID]
		m.tl.take(c)
		if c.Gone {
			m.learn()
		}
		m.sent = append(m.sent, delivery{cp: m.after(c, before), gone: c.Gone, end: m.tl.text.Len()})
	}
	if got, want := m.tl.text.String(), m.written.String(); !strings.HasPrefix(want, got) {
		m.fail(want)
	}
	m.ack(m.r.IntN(len(m.sent) + 1))
}

// learn is what a journal does: it knows a generation from its first sight on.
func (m *model) learn() {
	for _, cp := range m.tl.s.Checkpoints() {
		if _, ok := m.acks[cp.ID]; !ok {
			m.acks[cp.ID] = Checkpoint{ID: cp.ID, Path: cp.Path, Began: cp.Began}
		}
	}
}

// after is what the journal knows once c is acknowledged.
func (m *model) after(c Chunk, before Checkpoint) Checkpoint {
	cp := Checkpoint{ID: c.ID, Path: c.Path, Began: c.Began, Position: c.Start + line.Position(len(c.Data)), Head: c.Head, HeadLength: c.HeadLength}
	if cp.Tail, cp.TailLength = Tail(c.Data); cp.TailLength == 0 && before.Position == cp.Position {
		cp.Tail, cp.TailLength = before.Tail, before.TailLength
	}
	return cp
}

func (m *model) ack(n int) {
	for _, d := range m.sent[:n] {
		if d.gone {
			d.cp.Ended = true
			delete(m.sp.kept, d.cp.ID)
		}
		m.acks[d.cp.ID] = d.cp
		m.sp.needed[d.cp.ID] = d.cp.Position
		m.acked = d.end
	}
	m.sent = m.sent[n:]
}

// restart kills the reader: what was not acknowledged will be read again.
func (m *model) restart() {
	if m.blind {
		m.look() // else what it has not seen dies with it
	}
	m.did("kill")
	text := m.tl.text.String()[:m.acked]
	m.tl.text.Reset()
	m.tl.text.WriteString(text)
	m.sent, m.tl.acks = nil, m.acks
	for range m.r.IntN(6) {
		if m.r.IntN(2) == 0 {
			m.write()
			continue
		}
		m.n++
		name := fmt.Sprintf("%s.%06d", m.path, m.n)
		m.endLine()
		must(m.t, os.Rename(m.path, name))
		m.rotated = append(m.rotated, name)
		tick(m.t, m.path)
		m.create()
		m.did("rotate")
	}
	m.tl.die(m.cfg)
	m.tl.acks = make(map[ID]Checkpoint)
	m.poll()
}

func (m *model) finish() {
	m.endLine()
	m.write()
	m.endLine()
	m.settle()
}

func (m *model) fail(want string) {
	m.t.Helper()
	m.t.Fatal(differ(m.tl.text.String(), want))
}
