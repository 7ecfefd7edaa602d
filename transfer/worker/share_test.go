package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAShareIsNeverExceededAndAlwaysGivenBack(t *testing.T) {
	s := newShare(100)
	var held, most atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 500 {
				n := 1 + rand.Int64N(60)
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(4) == 0 {
					cancel() // gives up while waiting, or is granted at the last moment
				}
				if s.acquire(ctx, n) == nil {
					if now := held.Add(n); now > most.Load() {
						most.Store(now)
					}
					held.Add(-n)
					s.release(n)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > 100 || s.inUse() != 0 {
		t.Errorf("at most %d of 100 were held, %d are left: want at most 100 and 0", most.Load(), s.inUse())
	}
}

func TestAClaimThatCanNeverBeMetIsRefused(t *testing.T) {
	s := newShare(100)
	if err := s.acquire(t.Context(), 101); !errors.Is(err, ErrOverBudget) {
		t.Errorf("got %v, want ErrOverBudget", err)
	}
	if !s.try(60) {
		t.Fatal("60 of 100 were refused")
	}
	got := make(chan error)
	go func() { got <- s.acquire(t.Context(), 80) }()
	eventually(t, "the claim waits", s.pressed)
	s.resize(50)
	if err := <-got; !errors.Is(err, ErrOverBudget) {
		t.Errorf("after the share shrank: got %v, want ErrOverBudget", err)
	}
}

func TestWhoWaitsIsServedInOrder(t *testing.T) {
	s := newShare(10)
	s.try(10)
	big := make(chan error)
	go func() { big <- s.acquire(t.Context(), 9) }()
	eventually(t, "the claim waits", s.pressed)
	s.release(5)
	if s.try(1) {
		t.Error("a small claim overtook a large one that waits")
	}
	s.release(5)
	if err := <-big; err != nil {
		t.Error(err)
	}
}

func TestRoutesDivideTheBudget(t *testing.T) {
	b := NewBudget(64 << 20)
	one := b.Join()
	if one.fetched.limit() != 32<<20 || one.decoded.limit() != 16<<20 {
		t.Errorf("one route has %d and %d", one.fetched.limit(), one.decoded.limit())
	}
	two := b.Join()
	if one.fetched.limit() != 16<<20 || two.fetched.limit() != 16<<20 {
		t.Errorf("two routes have %d and %d, want the same", one.fetched.limit(), two.fetched.limit())
	}
	b.Leave(two)
	if one.fetched.limit() != 32<<20 {
		t.Errorf("the route that stayed has %d, want all again", one.fetched.limit())
	}
}
