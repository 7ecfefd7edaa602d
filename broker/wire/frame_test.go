package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is both ends of a TCP connection on this machine.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// frames reads from one end of a pair; the other is returned.
func frames(t *testing.T, budget *Budget, max int) (net.Conn, *Frames) {
	client, server := pair(t)
	return client, NewFrames(server, budget, max, time.Minute)
}

// request is a frame of size bytes of a request with that key.
func request(key int16, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	for len(b) < size+4 {
		b = append(b, byte(len(b)))
	}
	return b
}

func TestMoreSaysWhetherTheNextFrameIsThereWhole(t *testing.T) {
	client, in := frames(t, NewBudget(1<<20, 1<<20), 1<<20)
	if in.More() {
		t.Error("more is there before anything came")
	}
	two := append(request(3, 100), request(3, 200)...)
	if _, err := client.Write(append(two, request(3, 300)[:303]...)); err != nil { // a byte is missing
		t.Fatal(err)
	}
	for i, more := range []bool{true, false} {
		f, err := in.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.Release()
		if in.More() != more {
			t.Errorf("behind frame %d more is there: %v, want %v", i, !more, more)
		}
	}
}

func TestFramesOfEverySizeArriveWhole(t *testing.T) {
	budget := NewBudget(1<<20, 8<<20)
	free := budget.mu.free
	client, in := frames(t, budget, 8<<20)
	sizes := []int{8, 9, 100, smallFrame - 1, smallFrame, smallFrame + 1, firstChunk, firstChunk + 1, 262300, 1 << 20, 5 << 20, 6<<20 + 1, 10}
	go func() {
		for _, n := range sizes {
			b := request(0, n)
			for len(b) > 0 { // in pieces of any size
				k := min(len(b), 1+rand.IntN(200_000))
				if _, err := client.Write(b[:k]); err != nil {
					return
				}
				b = b[k:]
			}
		}
		client.Close()
	}()
	for _, n := range sizes {
		f, err := in.Next(t.Context())
		if err != nil {
			t.Fatalf("frame of %d bytes: %v", n, err)
		}
		if !bytes.Equal(f.Bytes, request(0, n)[4:]) {
			t.Fatalf("frame of %d bytes came as %d other bytes", n, len(f.Bytes))
		}
		f.Release()
	}
	if _, err := in.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v, want EOF", err)
	}
	if budget.mu.free != free || len(budget.mu.readers) != 0 {
		t.Errorf("%d bytes of the budget are free, %d readers left; want %d and 0", budget.mu.free, len(budget.mu.readers), free)
	}
}

func TestGarbageIsNamed(t *testing.T) {
	for sent, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":               "HTTP request",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc": "TLS hello",
		"SSH-2.0-OpenSSH_9.2\r\n":              "SSH",
		"\xff\xff\xff\xfe1234":                 "negative length (-2)",
		"\x00\x00\x00\x03abc":                  "length of 3",
		"\x7f\xff\xff\xff\x00\x00\x00\x00":     "length of 2147483647, more than socket.request.max.bytes (1000000)",
		"\x00\x60\x00\x00\x00\x03\x00\x00":     "length of 6291456",
		string(request(3, 900_000)):            "",
	} {
		client, in := frames(t, NewBudget(0, 1_000_000), 1_000_000)
		go client.Write([]byte(sent)) // the reader may close before all is sent
		f, err := in.Next(t.Context())
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", sent[:8], err)
			} else {
				f.Release()
			}
			continue
		}
		var garbage *GarbageError
		if !errors.As(err, &garbage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", sent[:8], err, want)
		}
	}
}

func TestOtherRequestsThanProduceAreSmall(t *testing.T) {
	client, in := frames(t, NewBudget(0, 1000), 100<<20)
	go client.Write(request(3, otherMax+1)[:100])
	if _, err := in.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "key 3") {
		t.Errorf("a Metadata request of more than 4 MiB: %v", err)
	}
}

func TestAnnouncedLengthAllocatesNothing(t *testing.T) {
	budget := NewBudget(1<<30, 100<<20)
	free := budget.mu.free
	client, in := frames(t, budget, 100<<20)
	ended := make(chan error, 1)
	go func() {
		_, err := in.Next(context.Background())
		ended <- err
	}()
	if _, err := client.Write(request(0, 100<<20)[:50_000]); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { client.Close() })
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame cut off: %v", err)
	}
	if budget.mu.free != free {
		t.Errorf("%d of %d bytes are free", budget.mu.free, free)
	}
	if cap := 2 * firstChunk; in.trusted > cap {
		t.Errorf("a frame that never came makes room for %d bytes the next time", in.trusted)
	}
}

func TestStalledFramesAreGivenUpWhenMemoryIsShort(t *testing.T) {
	budget := NewBudget(0, 1<<20) // 2.5 MiB
	budget.patience = 100 * time.Millisecond
	var stalled []net.Conn
	errs := make(chan error, 8)
	for range 3 {
		client, in := frames(t, budget, 1<<20)
		stalled = append(stalled, client)
		go func() {
			_, err := in.Next(context.Background())
			errs <- err
		}()
		go client.Write(request(0, 1<<20)[:900_000]) // all three together want more than there is
	}
	if err := <-errs; !errors.Is(err, ErrBudget) {
		t.Fatalf("the frame that stood still for longest ended with %v", err)
	}
	client, in := frames(t, budget, 1<<20)
	go client.Write(request(0, 200_000))
	f, err := in.Next(t.Context())
	if err != nil {
		t.Fatalf("another connection's frame: %v", err)
	}
	f.Release()
	for _, c := range stalled {
		c.Close()
	}
	<-errs
	<-errs
}

// Who keeps a frame alive by a byte now and then must not hold memory that others wait for, nor get them given up.
func TestTricklingFramesAreGivenUpWhenMemoryIsShort(t *testing.T) {
	budget := NewBudget(0, 1<<20) // 2.5 MiB
	budget.patience = 100 * time.Millisecond
	errs := make(chan error, 2)
	var trickling []net.Conn
	for range 2 {
		client, in := frames(t, budget, 1<<20)
		trickling = append(trickling, client)
		go func() {
			_, err := in.Next(context.Background())
			client.Close() // ends the trickle
			errs <- err
		}()
		go func() {
			_, err := client.Write(request(0, 1<<20)[:900_000])
			for drop := time.NewTicker(5 * time.Millisecond); err == nil; <-drop.C {
				_, err = client.Write([]byte{0})
			}
		}()
	}
	deadline, look := time.Now().Add(10*time.Second), time.NewTicker(time.Millisecond)
	defer look.Stop()
	for free := 1; free != 1<<19; <-look.C {
		budget.mu.Lock()
		free = budget.mu.free
		budget.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are free, want both frames to hold 1 MiB", free)
		}
	}
	client, in := frames(t, budget, 1<<20)
	go client.Write(request(0, 1<<20))
	f, err := in.Next(t.Context())
	if err != nil {
		t.Fatalf("a frame sent at once beside two that trickle: %v", err)
	}
	f.Release()
	for _, c := range trickling {
		c.Close()
	}
	<-errs
	<-errs
}

func TestStopEndsReading(t *testing.T) {
	_, in := frames(t, NewBudget(0, 1000), 1000)
	ended := make(chan error, 1)
	go func() {
		_, err := in.Next(context.Background())
		ended <- err
	}()
	in.Stop()
	if err := <-ended; !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want ErrStopped", err)
	}
}

func TestRangesGoOutAtTheirPlaces(t *testing.T) {
	content := make([]byte, 3<<20)
	for i := range content {
		content[i] = byte(i * 7)
	}
	path := filepath.Join(t.TempDir(), "segment")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	head := &FetchHead{B: []byte("headONEheadTWOheadTHREEend"), Cuts: []int{7, 14, 14, 23}}
	ranges := []Range{{file, 5, 2 << 20}, {file, 100, 1000}, {}, {file, 1 << 20, 1<<20 + 17}}
	want := slicesOf(content, head, ranges)
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"tcp":   func(c net.Conn) net.Conn { return c },
		"other": func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
	} {
		client, server := pair(t)
		sent := make(chan error, 1)
		go func() {
			err := NewOut(wrap(server)).WriteFetch(head, ranges)
			server.Close()
			sent <- err
		}()
		got, err := io.ReadAll(client)
		if err := errors.Join(err, <-sent); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes came, want these %d", name, len(got), len(want))
		}
	}
	_, server := pair(t)
	if err := NewOut(server).WriteFetch(head, []Range{{file, 3 << 20, 20_000}, {}, {}, {}}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a range behind the file's end: %v", err)
	}
}

func slicesOf(content []byte, head *FetchHead, ranges []Range) (want []byte) {
	at := 0
	for i, r := range ranges {
		want = append(append(want, head.B[at:head.Cuts[i]]...), content[r.Position:r.Position+int64(r.Length)]...)
		at = head.Cuts[i]
	}
	return append(want, head.B[at:]...)
}

func TestClassesHoldWhatIsAskedFor(t *testing.T) {
	for n := 1; n < 200<<20; n += 1 + n/7 {
		i, size := class(n)
		if size < n || size > 2*max(n, smallFrame) || i < 0 {
			t.Fatalf("for %d bytes: class %d of %d bytes", n, i, size)
		}
		if j, again := class(size); j != i || again != size {
			t.Fatalf("a buffer of class %d (%d bytes) goes back to class %d (%d)", i, size, j, again)
		}
	}
}
