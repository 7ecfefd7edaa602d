package agent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestALaneThatWaitsForMemoryKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(200) // half of it to work with
		enter := func(n int64) chan int64 {
			in := make(chan int64, 1)
			go func() {
				held, err := b.enter(t.Context(), n)
				if err != nil {
					t.Error(err)
				}
				in <- held
			}()
			return in
		}
		first := <-enter(60)
		l := &lane{lookAround: time.Now().Add(time.Hour)} // whose files need no look
		large := make(chan error, 1)
		go func() {
			large <- l.patiently(t.Context(), func(ctx context.Context) error { _, err := b.enter(ctx, 80); return err })
		}()
		synctest.Wait()
		small := enter(30) // there is room for it, and another one waits
		time.Sleep(10 * watchEvery)
		synctest.Wait()
		if len(small) != 0 {
			t.Error("one that came later and wants less is let in first: a lane with long lines would never be")
		}
		b.leave(first)
		if err := <-large; err != nil {
			t.Fatal(err)
		}
		b.leave(80)
		b.leave(<-small)
	})
}
