package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// piped is an Out over a connection without any buffer, that shares u, and the client's end.
func piped(t *testing.T, u *Unsent) (*Out, net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	out := NewOut(server)
	leave := out.Share(u)
	t.Cleanup(func() { client.Close(); server.Close(); leave() })
	return out, client
}

func TestAnswersWaitForRoomAndNotForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUnsent(100)
		a, _ := piped(t, u)
		b, _ := piped(t, u)
		a.Hold(90)
		if n, err := b.Reserve(t.Context(), 10); n != 10 || err != nil {
			t.Fatalf("10 of 10 bytes: %d, %v", n, err)
		}
		if !u.Full() || !a.Busy() || !b.Crowded() {
			t.Error("100 of 100 bytes are held and nobody says so")
		}
		waiting, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Reserve(waiting, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("one byte more: %v", err)
		}
		var woken sync.WaitGroup
		woken.Go(func() {
			if n, err := b.Reserve(t.Context(), 45); n != 45 || err != nil {
				t.Errorf("45 bytes, later: %d, %v", n, err)
			}
		})
		woken.Go(func() {
			if err := u.Open(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		a.Release(90)
		if woken.Wait(); time.Since(began) != 0 {
			t.Errorf("who waits for room hears of it after %s", time.Since(began))
		}
		if held, most := u.Held(); held != 55 || most != 100 {
			t.Errorf("%d of %d bytes are held, want 55 of 100", held, most)
		}
	})
}

func TestAnAnswerLargerThanAllTheRoomIsMadeAlone(t *testing.T) {
	u := NewUnsent(100)
	a, _ := piped(t, u)
	b, _ := piped(t, u)
	if n, err := a.Reserve(t.Context(), 1000); n != 51 || err != nil {
		t.Fatalf("1000 bytes of 100: %d, %v, want 51 counted", n, err)
	}
	waiting, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Reserve(waiting, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("a second one: %v", err)
	}
}

// Who takes its answer slowest is cut off when others wait for room; who takes it, who waits for something else than its
// client, and who holds nothing, is not.
func TestWhoStandsStillForLongestIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUnsent(1 << 20)
		dead, _ := piped(t, u)
		slow, slowly := piped(t, u)
		queued, _ := piped(t, u)
		poor, _ := piped(t, u)
		dead.Hold(400 << 10)
		slow.Hold(300 << 10)
		queued.Hold(400 << 10)
		sent := make(chan error, 3)
		go func() { sent <- poor.Write(make([]byte, 10)) }() // for longest, and holds nothing
		synctest.Wait()
		time.Sleep(time.Second)
		go func() { sent <- dead.Write(make([]byte, 300<<10)) }()
		go func() {
			sent <- slow.Write(make([]byte, 300<<10))
			slow.Release(300 << 10)
		}()
		var taking sync.WaitGroup
		taking.Go(func() {
			for buf := make([]byte, 64<<10); ; time.Sleep(time.Second) {
				if _, err := io.ReadFull(slowly, buf); err != nil {
					return
				}
			}
		})
		if err := u.Open(t.Context()); err != nil { // comes when slow is through
			t.Fatal(err)
		}
		if err := <-sent; err == nil || !dead.Given() {
			t.Errorf("who takes nothing: %v, cut off: %t", err, dead.Given())
		}
		if queued.Given() || slow.Given() || poor.Given() {
			t.Errorf("cut off too: queued %t, slow %t, without memory %t", queued.Given(), slow.Given(), poor.Given())
		}
		poor.conn.Close()
		<-sent
		slow.conn.Close()
		<-sent
		taking.Wait()
	})
}

// A client that takes a byte now and then is cut off like one that takes none.
func TestAnswersTakenByteByByteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		var taking sync.WaitGroup
		defer taking.Wait()
		defer server.Close()
		taking.Go(func() {
			for buf := make([]byte, 1); ; time.Sleep(time.Second) {
				if _, err := client.Read(buf); err != nil {
					return
				}
			}
		})
		began := time.Now()
		var network net.Error
		if err := NewOut(server).Write(make([]byte, 1<<20)); !errors.As(err, &network) || !network.Timeout() {
			t.Errorf("writing a megabyte at a byte a second: %v", err)
		}
		if took := time.Since(began); took > stuckTime+time.Second {
			t.Errorf("it took %s to give up", took)
		}
	})
}

// patient counts how often it is given more time.
type patient struct {
	net.Conn
	times int
}

// SetWriteDeadline counts.
func (p *patient) SetWriteDeadline(time.Time) error { p.times++; return nil }

// However few bytes each call to the kernel moves, the deadline follows whole strides.
func TestOnlyAStrideGivesMoreTime(t *testing.T) {
	conn := &patient{}
	o := &Out{conn: conn}
	o.begin()
	for range outStride - 1 {
		o.took(1)
	}
	if conn.times != 1 {
		t.Errorf("more time was given %d times for a byte less than a stride", conn.times-1)
	}
	if o.took(1); conn.times != 2 {
		t.Errorf("more time was given %d times for a stride", conn.times-1)
	}
}

// A client that takes its answer slowly, but takes it, gets it whole.
func TestAnswersTakenSlowlyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		got := make(chan int64)
		go func() {
			n := int64(0)
			for {
				k, err := io.CopyN(io.Discard, client, 16<<10)
				if n += k; err != nil {
					got <- n
					return
				}
				time.Sleep(10 * time.Second) // four such are a stride
			}
		}()
		if err := NewOut(server).Write(make([]byte, 1<<20)); err != nil {
			t.Error(err)
		}
		server.Close()
		if n := <-got; n != 1<<20 {
			t.Errorf("%d bytes came", n)
		}
	})
}
