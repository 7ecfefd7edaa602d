package quota

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestWhoKeepsToTheQuotaNeverWaits(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{User: Named("u")}, Fetch, 1000)
	now := time.Unix(1000, 0)
	for range 600 {
		if d := q.Charge("u", "c", Fetch, 100, now); d != 0 {
			t.Fatalf("at the quota's own rate the client must wait %v", d)
		}
		now = now.Add(100 * time.Millisecond)
	}
}

func TestABurstIsPaidForAsKafkaCountsIt(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{Client: Default}, Produce, 1000)
	now := time.Unix(1000, 0)
	if d := q.Charge("u", "c", Produce, 10_000, now); d != 0 {
		t.Errorf("ten windows' worth at once must wait %v, want nothing", d)
	}
	if d := q.Charge("u", "c", Produce, 20_000, now); d != 20*time.Second { // Kafka: 3000 a second over 10 s, limit 1000
		t.Errorf("three times as much must wait %v, want 20s", d)
	}
	if d := q.Charge("u", "c", Produce, 9_000, now.Add(30*time.Second)); d != 0 {
		t.Errorf("when the burst is paid the client must wait %v", d)
	}
}

// TestInTheLongRunNobodyMovesMoreThanTheQuota lets a client move as much as it can and wait as it is told.
func TestInTheLongRunNobodyMovesMoreThanTheQuota(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	q := fresh(t)
	set(t, q, Entity{User: Default, Client: Default}, Produce, 50_000)
	begin := time.Unix(1000, 0)
	now, moved := begin, 0
	for now.Sub(begin) < time.Hour {
		n := random.IntN(1_000_000)
		moved += n
		now = now.Add(q.Charge("u", "c", Produce, n, now) + time.Duration(random.IntN(50))*time.Millisecond)
	}
	rate := float64(moved) / now.Sub(begin).Seconds()
	if rate > 1.01*50_000 || rate < 0.9*50_000 {
		t.Errorf("moved %.0f bytes a second, want about 50000 and not more", rate)
	}
}

func TestConnectionsOfAnAddressAreSlowed(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{IP: Default}, Connections, 1000)
	set(t, q, Entity{IP: Named("10.0.0.1")}, Connections, 1)
	now := time.Unix(1000, 0)
	waits := 0
	for range 20 {
		if q.Connect("10.0.0.1", now) > 0 {
			waits++
		}
		if d := q.Connect("10.0.0.2", now); d != 0 {
			t.Fatalf("another address must wait %v", d)
		}
	}
	if waits != 10 {
		t.Errorf("%d of 20 connections at once had to wait, want 10", waits)
	}
}

// A client calls itself as it likes, with up to 32 KB, and by another name each time.
func TestLongNamesOfClientsTakeLittleMemory(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{Client: Default}, Produce, 1000)
	now := time.Unix(1000, 0)
	for i := range 100 {
		q.Charge("u", fmt.Sprint(i, strings.Repeat("x", 32_000)), Produce, 1, now)
	}
	if n := len(q.mu.meters); n != 100 {
		t.Errorf("%d clients are metered, want 100", n)
	}
	for who := range q.mu.meters {
		if len(who.client) > longestName {
			t.Fatalf("%d bytes of a client's name are kept", len(who.client))
		}
	}
}

func TestQuotasAreBounded(t *testing.T) {
	q := fresh(t)
	long := Entity{User: Named(strings.Repeat("x", mostBytes))}
	if err := q.Alter(long, []Change{{Key: Produce, Value: 1}}, false); !errors.Is(err, ErrInvalid) || len(q.List()) != 0 {
		t.Errorf("a quota of megabytes: %v, and %d quotas", err, len(q.List()))
	}
}

func TestSilentClientsAreForgotten(t *testing.T) {
	q := fresh(t)
	set(t, q, Entity{Client: Default}, Produce, 1000)
	now := time.Unix(1000, 0)
	for i := range 1000 {
		q.Charge("u", fmt.Sprint("client-", i), Produce, 1, now)
	}
	q.Charge("u", "last", Produce, 1, now.Add(2*time.Minute))
	if n := len(q.mu.meters); n != 1 {
		t.Errorf("%d clients are remembered, want 1", n)
	}
}
