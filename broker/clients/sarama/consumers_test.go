package sarama_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker/clients"
)

func TestConsumerComesBeforeTheTopic(t *testing.T) {
	addr := serve(t)
	for _, from := range []int64{sarama.OffsetNewest, sarama.OffsetOldest} {
		topic := clients.Name("later")
		consumer, err := sarama.NewConsumer([]string{addr}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer consumer.Close()
		messages, err := consumer.ConsumePartition(topic, 0, from)
		if err != nil {
			t.Fatal(err)
		}
		defer messages.Close()
		if err := produce(sarama.NewConfig(), addr, topic, "none", clients.Lines(0, 1, 1)); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-messages.Messages():
			if string(m.Value) != "line 0" {
				t.Errorf("got %q", m.Value)
			}
		case <-time.After(20 * time.Second):
			t.Error("no message in 20 seconds")
		}
	}
}

// counting is a tutorial's handler: it says when it is set up, and marks each message.
type counting struct {
	ready  chan struct{} // closed by the first Setup
	once   *sync.Once
	read   chan string // one value a message
	commit bool        // by hand, after each message
}

func (h counting) Setup(sarama.ConsumerGroupSession) error {
	h.once.Do(func() { close(h.ready) })
	return nil
}
func (h counting) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h counting) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			s.MarkMessage(m, "")
			if h.commit {
				s.Commit()
			}
			h.read <- string(m.Value)
		case <-s.Context().Done():
			return nil
		}
	}
}

func TestConsumerGroupCommitsByItselfAndByHand(t *testing.T) {
	addr := serve(t)
	for name, byHand := range map[string]bool{"automatic": false, "manual": true} {
		t.Run(name, func(t *testing.T) {
			topic, group := clients.Topic(t, addr, "commits", 1), clients.Name("group")
			for round := range 2 {
				if err := produce(sarama.NewConfig(), addr, topic, "none", clients.Lines(round*10, round*10+10, 1)); err != nil {
					t.Fatal(err)
				}
				cfg := sarama.NewConfig()
				cfg.Consumer.Offsets.AutoCommit.Enable = !byHand
				cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
				cfg.Consumer.MaxWaitTime = 50 * time.Millisecond // commits queue behind long polls
				g, err := sarama.NewConsumerGroup([]string{addr}, group, cfg)
				if err != nil {
					t.Fatal(err)
				}
				h := counting{make(chan struct{}), &sync.Once{}, make(chan string, 100), byHand}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Consume(ctx, []string{topic}, h) }()
				<-h.ready
				for i := range 10 {
					if got, want := <-h.read, fmt.Sprint("line ", round*10+i); got != want {
						t.Fatalf("round %d: message %d is %q, want %q", round, i, got, want)
					}
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if err := g.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
