package users

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// Who has not logged in yet can stand still between two messages, with thousands of connections.
func TestALoginOnItsWayHoldsLittle(t *testing.T) {
	u := open(t, t.TempDir())
	const logins = 20
	held := make([]Exchange, logins)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range held {
		held[i] = u.Begin(SHA256, nil)
		_, _, _ = held[i].Step(t.Context(), []byte("n,,n=alice,r="+strings.Repeat("x", 500<<10)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / logins; each > 16<<10 {
		t.Errorf("a login on its way holds %d bytes", each)
	}
	runtime.KeepAlive(held)
	if _, _, err := u.Begin(SHA256, nil).Step(t.Context(), []byte("n,,n="+strings.Repeat("x", 200)+",r="+strings.Repeat("y", 200))); err != nil {
		t.Errorf("a long name and nonce: %v", err)
	}
}

// Deriving takes a processor for milliseconds, so logins queue for it; a client that was cut off leaves the queue.
func TestALoginThatWaitsForAProcessorEndsWithItsConnection(t *testing.T) {
	u := open(t, t.TempDir())
	for range cap(u.cpu) {
		u.cpu <- struct{}{} // others derive, without end
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, done, err := u.Begin(Plain, nil).Step(ctx, []byte("\x00alice\x00x")); done || !errors.Is(err, context.Canceled) {
		t.Errorf("done %v, %v", done, err)
	}
}

func TestASaltOfMegabytesIsRefused(t *testing.T) {
	for size, ok := range map[int]bool{0: false, 1: true, 1 << 10: true, 1<<10 + 1: false} {
		if _, err := FromSalted(SHA256, MinIterations, make([]byte, size), []byte("salted")); (err == nil) != ok {
			t.Errorf("a salt of %d bytes: %v", size, err)
		}
	}
}
