package broker_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// neighbour produces and consumes while others misbehave, and must not notice them. The returned function ends it.
func (r *running) neighbour() (leave func()) {
	r.t.Helper()
	topic := fmt.Sprint("neighbour-", time.Now().UnixNano())
	producer := r.client(kgo.DefaultProduceTopic(topic), kgo.RecordRetries(0), kgo.RequestRetries(0))
	r.produce(producer, topic, 0, 1)
	consumer := r.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	var sent, got int
	var both sync.WaitGroup
	both.Go(func() {
		for sent = 1; ctx.Err() == nil; sent++ {
			if err := producer.ProduceSync(context.Background(), kgo.StringRecord(fmt.Sprint("line ", sent))).FirstErr(); err != nil {
				r.t.Errorf("a well-behaved producer gets %v for its line %d", err, sent)
				return
			}
		}
	})
	both.Go(func() {
		for ctx.Err() == nil {
			fetches := consumer.PollFetches(ctx)
			for _, e := range fetches.Errors() {
				if ctx.Err() == nil {
					r.t.Errorf("a well-behaved consumer gets %v", e.Err)
					return
				}
			}
			fetches.EachRecord(func(rec *kgo.Record) {
				if want := fmt.Sprint("line ", got); string(rec.Value) != want {
					r.t.Errorf("a well-behaved consumer reads %q, want %q", rec.Value, want)
				}
				got++
			})
		}
	})
	return sync.OnceFunc(func() {
		r.t.Helper()
		cancel()
		both.Wait()
		if got < 2 {
			r.t.Errorf("a well-behaved consumer read %d of %d lines meanwhile", got, sent)
		}
	})
}

// memory watches the bytes in use until the returned function is called, which tells by how much they rose at most.
func memory() (risen func() int64) {
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	runtime.GC()
	before := inUse()
	highest := before
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			highest = max(highest, inUse())
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-ended
		return highest - before
	}
}

// wantMemory complains when more was used than may be.
func wantMemory(t *testing.T, risen, limit int64) {
	t.Helper()
	t.Logf("%d MiB more memory", risen>>20)
	if risen > limit {
		t.Errorf("%d MiB more memory, want at most %d", risen>>20, limit>>20)
	}
}
