package wire

import (
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sendSlowly writes b in pieces of so many bytes, one every so often, until it is done or nobody listens.
func sendSlowly(conn net.Conn, b []byte, piece int, every time.Duration) {
	for len(b) > 0 {
		n := min(piece, len(b))
		if _, err := conn.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
		time.Sleep(every)
	}
}

// A byte now and then keeps no connection open, wherever in a frame they come.
func TestAFrameOfSingleBytesIsGivenUp(t *testing.T) {
	for name, frame := range map[string][]byte{"small": request(3, 100), "large": request(0, 1<<20)} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			var sending sync.WaitGroup
			defer sending.Wait()
			defer server.Close()
			sending.Go(func() {
				if _, err := client.Write(frame[:16]); err == nil { // it begins like any other
					sendSlowly(client, frame[16:], 1, 10*time.Second)
				}
			})
			began := time.Now()
			_, err := NewFrames(server, NewBudget(1<<20, 1<<20), 1<<20, 10*time.Minute).Next(t.Context())
			var network net.Error
			if !errors.As(err, &network) || !network.Timeout() {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took > 3*stalledTime {
				t.Errorf("%s: given up after %s", name, took)
			}
		})
	}
}

// A link of 2 kB a second brings its frames all the same.
func TestASlowFrameArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		var sending sync.WaitGroup
		defer sending.Wait()
		sending.Go(func() { sendSlowly(client, request(0, 300_000), 2000, time.Second) })
		f, err := NewFrames(server, NewBudget(1<<20, 1<<20), 1<<20, 10*time.Minute).Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Bytes) != 300_000 {
			t.Errorf("%d bytes came", len(f.Bytes))
		}
		f.Release()
	})
}

// A client that says nothing for the idle time is closed, and one that speaks is not.
func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		in := NewFrames(server, NewBudget(1<<20, 1<<20), 1<<20, time.Minute)
		go func() {
			for range 3 {
				time.Sleep(50 * time.Second)
				_, _ = client.Write(request(3, 100))
			}
		}()
		for range 3 {
			f, err := in.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.Release()
		}
		began := time.Now()
		var network net.Error
		if _, err := in.Next(t.Context()); !errors.As(err, &network) || !network.Timeout() || time.Since(began) != time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
