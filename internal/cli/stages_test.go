package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakePart is a part that serves at once and drains as its test wants.
type fakePart struct {
	name  string
	ready chan struct{}
	fail  chan error // what ends it by itself
	drain time.Duration
	diary *diary
}

type diary struct {
	mu struct {
		sync.Mutex
		lines []string
	}
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.lines = append(d.mu.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.mu.lines)
}

func (p *fakePart) Ready() <-chan struct{} { return p.ready }

func (p *fakePart) Run(ctx context.Context) error {
	p.diary.write(p.name + " starts")
	close(p.ready)
	select {
	case err := <-p.fail:
		return err
	case <-ctx.Done():
	}
	<-time.After(p.drain) // by synctest's clock
	p.diary.write(p.name + " ends")
	return nil
}

func fakes(d *diary, names ...string) []*fakePart {
	var parts []*fakePart
	for _, n := range names {
		parts = append(parts, &fakePart{name: n, ready: make(chan struct{}), fail: make(chan error, 1), drain: time.Second, diary: d})
	}
	return parts
}

func TestPartsDrainInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var d diary
		s := newStages()
		for _, p := range fakes(&d, "etcd", "broker", "agent") {
			if err := s.start(ctx, p.name, p); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := s.finish(ctx, s.wait(ctx)); err != nil {
			t.Errorf("finish after a stop = %v, want nil", err)
		}
		want := []string{"etcd starts", "broker starts", "agent starts", "agent ends", "broker ends", "etcd ends"}
		if got := d.read(); !slices.Equal(got, want) {
			t.Errorf("it went %v, want %v", got, want)
		}
	})
}

func TestTheFirstThatFailsEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		s := newStages()
		parts := fakes(&d, "etcd", "broker", "agent")
		for _, p := range parts {
			if err := s.start(t.Context(), p.name, p); err != nil {
				t.Fatal(err)
			}
		}
		full := errors.New("no space left on device")
		parts[1].fail <- full
		err := s.finish(t.Context(), s.wait(t.Context()))
		if !errors.Is(err, full) || strings.Count(err.Error(), "no space") != 1 || !strings.Contains(err.Error(), "broker:") {
			t.Errorf("finish = %q, want the broker's reason, once", err)
		}
		if got := d.read(); !slices.Contains(got, "agent ends") || !slices.Contains(got, "etcd ends") {
			t.Errorf("it went %v, want the others ended too", got)
		}
	})
}

func TestAPartThatDoesNotDrainIsLeftAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var d diary
		s := newStages()
		parts := fakes(&d, "broker", "agent")
		parts[1].drain = time.Minute
		for _, p := range parts {
			if err := s.start(ctx, p.name, p); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		begin := time.Now()
		err := s.finish(ctx, s.wait(ctx))
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "agent did not drain") || took != drainTime {
			t.Errorf("finish = %v after %s, want the agent named after %s", err, took, drainTime)
		}
		for _, st := range s.running {
			<-st.done
		}
	})
}

// closingPart is one that closes files from its first moment of draining on.
type closingPart struct{ *fakePart }

func (closingPart) Closing() bool { return true }

func TestAPartThatClosesItsFilesIsWaitedFor(t *testing.T) {
	for drain, whole := range map[time.Duration]bool{40 * time.Second: true, 2 * time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var d diary
			s := newStages()
			p := closingPart{fakes(&d, "broker")[0]}
			p.drain = drain
			if err := s.start(ctx, p.name, p); err != nil {
				t.Fatal(err)
			}
			stop()
			begin := time.Now()
			err := s.finish(ctx, s.wait(ctx))
			if took := time.Since(begin); whole && (err != nil || took != drain) || !whole && (err == nil || took != closeTime) {
				t.Errorf("finish = %v after %s, where closing takes %s", err, took, drain)
			}
			<-s.running[0].done
		})
	}
}

func TestThePartsBehindOneThatClosesItsFilesHaveTheirTimeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var d diary
		s := newStages()
		said := ""
		s.say = func(format string, args ...any) { said += fmt.Sprintf(format, args...) + "\n" }
		parts := fakes(&d, "etcd", "broker")
		parts[0].drain, parts[1].drain = 8*time.Second, 40*time.Second
		for _, p := range []part{parts[0], closingPart{parts[1]}} {
			if err := s.start(ctx, "a", p); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := s.finish(ctx, s.wait(ctx)); err != nil || !slices.Contains(d.read(), "etcd ends") {
			t.Errorf("finish = %v, after %v", err, d.read())
		}
		if strings.Count(said, "still closing its files") != 1 || strings.Count(said, "\n") != 1 {
			t.Errorf("it said %q, want one line about the part that takes long", said)
		}
		for _, st := range s.running {
			<-st.done
		}
	})
}

func TestAPartThatEndsBeforeItServesIsTheReason(t *testing.T) {
	s := newStages()
	err := s.start(t.Context(), "broker", failing{errors.New("port taken")})
	if err == nil || !strings.Contains(err.Error(), "broker: port taken") {
		t.Errorf("start = %v, want the reason", err)
	}
	if err := s.finish(t.Context(), err); err == nil || strings.Count(err.Error(), "port taken") != 1 {
		t.Errorf("finish = %v, want the reason once", err)
	}
}

// failing never serves.
type failing struct{ err error }

func (f failing) Run(context.Context) error { return f.err }
func (f failing) Ready() <-chan struct{}    { return nil }
