package handle

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// frameOf is a request as it comes in.
func frameOf(t *testing.T, key kmsg.Key, version int16, body []byte) *wire.Frame {
	t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 1, 0xff, 0xff)
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go client.Write(append(b, body...)) // ends with the pipe
	frame, err := wire.NewFrames(server, wire.NewBudget(1<<20, 1<<20), 1<<20, time.Minute).Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// Two megabytes of empty topic names become hundreds of megabytes of structs, so a few connections could use up the
// memory: such requests are taken apart as far as there is room, small ones always.
func TestLargeRequestsAreTakenApartInTurns(t *testing.T) {
	opened, err := topics.Open(topics.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	h := New(Config{Topics: opened})
	names := binary.BigEndian.AppendUint32(nil, 20_000)
	large := append(names, make([]byte, 2*20_000)...)
	if err := h.room.Acquire(t.Context(), decodedRoom); err != nil { // others are being taken apart
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key := kmsg.Metadata
	if _, _, err := h.Handle(ctx, frameOf(t, key, 1, large), NewSession(Peer{}, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("a large request beside others: %v, want it to wait", err)
	}
	if _, reply, err := h.Handle(ctx, frameOf(t, key, 1, []byte{0, 0, 0, 0}), NewSession(Peer{}, nil)); err != nil || reply == nil {
		t.Errorf("a small request beside large ones: %v, want an answer", err)
	}
	h.room.Release(decodedRoom)
	if _, reply, err := h.Handle(t.Context(), frameOf(t, key, 1, large), NewSession(Peer{}, nil)); err != nil || reply == nil {
		t.Fatalf("a large request alone: %v, want an answer", err)
	}
	if !h.room.TryAcquire(decodedRoom) {
		t.Error("a large request that is answered keeps its room")
	}
}
