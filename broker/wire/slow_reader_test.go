package wire

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deepSocket is a connection whose kernel took megabytes at once and takes no more until a third of them is gone.
type deepSocket struct {
	net.Conn
	queued atomic.Int64
}

// drain lets the peer take so many bytes each second, and reads on when the kernel is empty.
func (d *deepSocket) drain(client net.Conn, each int64) {
	for d.queued.Load() > 0 {
		time.Sleep(time.Second)
		d.queued.Add(-each)
	}
	_, _ = io.Copy(io.Discard, client)
}

func (d *deepSocket) out() *Out {
	o := &Out{conn: d}
	o.progress.queued = func() (int, error) { return int(max(0, d.queued.Load())), nil }
	o.progress.sent.Store(4 << 20)
	return o
}

// A reader that slows down to 20 kB/s gets its answer, though the kernel, full of what came before, takes nothing for
// more than three minutes.
func TestAReaderThatSlowsDownIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		d := &deepSocket{Conn: server}
		d.queued.Store(4 << 20)
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			d.drain(client, 20_000)
		}()
		began := time.Now()
		o := d.out()
		if err := o.Write(make([]byte, 1<<20)); err != nil {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if took := time.Since(began); took < 3*stuckTime {
			t.Errorf("the kernel took it after %s", took)
		}
		server.Close()
		<-drained
	})
}

// A reader that takes a byte now and then is cut off, however much the kernel holds for it.
func TestAReaderThatStandsStillIsCutOff(t *testing.T) {
	for _, each := range []int64{0, 1, 500} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			d := &deepSocket{Conn: server}
			d.queued.Store(1 << 20)
			ended := make(chan struct{})
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				for {
					select {
					case <-ended:
						return
					case <-time.After(time.Second):
						d.queued.Add(-each)
					}
				}
			}()
			began := time.Now()
			var network net.Error
			if err := d.out().Write(make([]byte, 1<<20)); !errors.As(err, &network) || !network.Timeout() {
				t.Errorf("%d bytes a second: %v", each, err)
			}
			if took := time.Since(began); took > 2*stuckTime+lookEach {
				t.Errorf("%d bytes a second: it took %s to give up", each, took)
			}
			close(ended)
			<-drained
		})
	}
}

// The kernel says what the peer has not taken.
func TestTheKernelSaysWhatIsOnItsWay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	queued := queuedOf(server)
	if queued == nil {
		t.Skip("this system is not asked")
	}
	if n, err := queued(); err != nil || n != 0 {
		t.Fatalf("%d bytes on their way, %v, before anything is sent", n, err)
	}
	sent := int64(0)
	_ = server.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	for err = nil; err == nil; { // until the kernel takes no more
		var n int
		n, err = server.Write(make([]byte, 64<<10))
		sent += int64(n)
	}
	if n, err := queued(); err != nil || n == 0 || int64(n) > sent {
		t.Errorf("%d bytes on their way, %v, of %d that were sent", n, err, sent)
	}
	if _, err := io.CopyN(io.Discard, client, sent); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		n, err := queued()
		if err == nil && n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes on their way, %v, when all was taken", n, err)
		}
	}
}
