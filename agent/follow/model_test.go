package follow

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// model is a writer and a rotator that know every line, and a reader whose
// acknowledgements lag behind and who is killed now and then. At any time what
// was read must be what was written, in order, up to some byte.
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
}

type delivery struct {
	cp   Checkpoint
	gone bool
	end  int // of tl.text
}

func TestModelOfAWriterARotatorAndKills(t *testing.T) {
	seeds := 10
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
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
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 1)), path: path, acks: make(map[ID]Checkpoint)}
	m.cfg = Config{Path: path, DeletedAge: time.Hour, MaxLine: 2000}
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
	case k < 82:
		m.did("release")
		m.tl.s.Release()
	case k < 85:
		m.copyTruncate()
	case k < 88:
		m.replace()
	case k < 92:
		m.removeOld()
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

// copyTruncate truncates what has been read and acknowledged whole.
func (m *model) copyTruncate() {
	m.endLine()
	m.settle()
	m.did("truncate")
	must(m.t, os.Truncate(m.path, 0))
}

// replace deletes the file, which is written on without a name if it is held open.
func (m *model) replace() {
	m.settle()
	if !m.tl.s.at.file.open() {
		m.endLine()
		m.settle()
	}
	m.did("remove")
	must(m.t, os.Remove(m.path))
	if m.tl.s.at.file.open() {
		m.write()
		m.endLine()
		m.settle()
	}
	tick(m.t, m.path)
	m.create()
}

// removeOld deletes the oldest rotated file, once it has been read.
func (m *model) removeOld() {
	if len(m.rotated) == 0 {
		return
	}
	m.settle()
	m.did("rm")
	must(m.t, os.Remove(m.rotated[0]))
	m.rotated = m.rotated[1:]
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
	if _, err := m.tl.s.Look(); err != nil {
		m.t.Fatal(err)
	}
	m.learn()
	for {
		c, err := m.tl.s.Next(m.tl.buf)
		if err == ErrIdle {
			break
		}
		must(m.t, err)
		m.tl.take(c)
		if c.Gone {
			m.learn()
		}
		m.sent = append(m.sent, delivery{cp: m.lastCheckpoint(c), gone: c.Gone, end: m.tl.text.Len()})
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

func (m *model) lastCheckpoint(c Chunk) Checkpoint {
	if cp, ok := m.tl.acks[c.ID]; ok {
		return cp
	}
	return Checkpoint{ID: c.ID}
}

func (m *model) ack(n int) {
	for _, d := range m.sent[:n] {
		if d.gone {
			delete(m.acks, d.cp.ID)
		} else {
			m.acks[d.cp.ID] = d.cp
		}
		m.acked = d.end
	}
	m.sent = m.sent[n:]
}

// restart kills the reader: what was not acknowledged will be read again.
func (m *model) restart() {
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
	m.tl.restart(m.cfg)
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
