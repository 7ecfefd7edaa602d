package campaign

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// text is line n of a program as it is written, without its ending: who, which, how long,
// the checksum of what follows, and what follows. Nothing in it needs to be escaped in a URL.
func text(who string, n int) string {
	h := uint32(n)*2654435761 + uint32(len(who))*40503
	length := 20 + int(h>>8)%260
	if n%977 == 976 {
		length += 3000 // over the end of a page
	}
	rest := padding[h%61:][:length]
	return fmt.Sprintf("%s/%08d/%04d/%08x/%s", who, n, length, crc32.ChecksumIEEE([]byte(rest)), rest)
}

var padding = strings.Repeat("GET-a-page-of-some-length-200-1234-Mozilla-5.0-", 80)

// site is one program that logs in its own folder and is rotated in one style. It knows
// nothing of whoever reads the files.
type site struct {
	t     testing.TB
	style style
	dir   string // of the log files
	aux   string // of what the program needs besides
	rng   *rand.Rand
	file  *os.File // that it writes to; nil in programs of others
	path  string   // of that file
	n     int      // lines that were written
	turns int      // rotations
	late  time.Time
	lines atomic.Int64 // n, for others
	bytes atomic.Int64
	fail  func(format string, args ...any)
	any   any // what the style keeps
}

func newSite(t testing.TB, root string, st style, seed uint64, fail func(string, ...any)) *site {
	t.Helper()
	s := &site{t: t, style: st, dir: filepath.Join(root, "logs", st.name), aux: filepath.Join(root, "aux", st.name),
		rng: rand.New(rand.NewPCG(seed, crc(st.name))), fail: fail}
	s.path = filepath.Join(s.dir, "app.log")
	for _, dir := range []string{s.dir, s.aux} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if st.begin != nil {
		if err := st.begin(s); err != nil {
			t.Fatalf("%s: %v", st.name, err)
		}
	}
	return s
}

func crc(s string) uint64 { return uint64(crc32.ChecksumIEEE([]byte(s))) }

// run logs until ctx ends; when turning is closed, and not before, it rotates.
func (s *site) run(ctx context.Context, turning <-chan struct{}) {
	write := s.style.write
	if write == nil {
		write = s.write
	}
	rotated := make(chan struct{}) // closed when nothing rotates any more
	if s.style.own {
		close(rotated)
	} else {
		go func() {
			defer close(rotated)
			s.rotate(ctx, turning)
		}()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	next, began, before := time.Time{}, time.Now(), s.n
	for {
		<-tick.C
		if ctx.Err() != nil && closed(rotated) { // whoever rotates waits for the program, so this goes on until then
			if s.file != nil {
				s.file.Close()
			}
			return
		}
		due := int(time.Since(began).Seconds()*float64(*rate)) - (s.n - before)
		if err := s.burst(write, min(due, *rate/20+1)); err != nil {
			s.fail("%s: writing: %v", s.style.name, err)
			return
		}
		if due > *rate { // a second behind: the machine is busy
			began, before = time.Now(), s.n
		}
		if s.style.own && closed(turning) && ctx.Err() == nil && time.Now().After(next) {
			if !next.IsZero() {
				if err := s.turn(); err != nil {
					s.fail("%s: rotating: %v", s.style.name, err)
					return
				}
			}
			next = time.Now().Add(s.style.interval(s.rng))
		}
		s.reopen()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// burst writes lines and counts them.
func (s *site) burst(write func(*site, []string) error, n int) error {
	if n <= 0 {
		return nil
	}
	lines, length := make([]string, n), 0
	for i := range lines {
		lines[i] = text(s.style.name, s.n+i)
		length += len(lines[i]) + 1
	}
	if err := write(s, lines); err != nil {
		return err
	}
	s.n += n
	s.lines.Store(int64(s.n))
	s.bytes.Add(int64(length))
	return nil
}

// write logs each line with a write call of its own, now and then with two.
func (*site) write(s *site, lines []string) error {
	for _, l := range lines {
		b := []byte(l + "\n")
		if !s.style.gap && s.rng.IntN(40) == 0 {
			cut := s.rng.IntN(len(b))
			if _, err := s.file.Write(b[:cut]); err != nil {
				return err
			}
			b = b[cut:]
		}
		if _, err := s.file.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// open opens the path, as a program does at its start and when it is told to.
func (s *site) open() (err error) {
	s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

// turn is one rotation.
func (s *site) turn() error {
	s.turns++
	return s.style.turn(s)
}

// rotate rotates from outside, beside the program.
func (s *site) rotate(ctx context.Context, turning <-chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-turning:
	}
	for {
		timer := time.NewTimer(s.style.interval(s.rng2()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if err := s.turn(); err != nil {
			s.fail("%s: rotating: %v", s.style.name, err)
			return
		}
	}
}

// rng2 is the rotator's own source of chance: it is another goroutine than the program's.
func (s *site) rng2() *rand.Rand {
	return rand.New(rand.NewPCG(uint64(s.turns), crc(s.style.name)))
}

// asked is the file by which a rotator tells the program to open its path anew, and in
// whose absence it knows that this was done.
func (s *site) asked() string { return filepath.Join(s.aux, "reopen") }

// reopen does what a rotator asked for: at once, or after a while in which lines still go
// to the old file.
func (s *site) reopen() {
	if s.style.own || s.style.gap || s.file == nil {
		return
	}
	if _, err := os.Stat(s.asked()); err != nil {
		return
	}
	if s.late.IsZero() && !s.style.atOnce {
		s.late = time.Now().Add(time.Duration(s.rng.IntN(200)) * time.Millisecond)
	}
	if time.Now().Before(s.late) {
		return
	}
	s.late = time.Time{}
	s.file.Close()
	if err := s.open(); err != nil {
		s.fail("%s: opening the path anew: %v", s.style.name, err)
		return
	}
	if err := os.Remove(s.asked()); err != nil {
		s.fail("%s: %v", s.style.name, err)
	}
}
