package shopify_test

import (
	"testing"
	"time"

	"github.com/Shopify/sarama"
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

func TestOffsetsOfAnOffsetManager(t *testing.T) {
	addr := serve(t)
	topic, group := clients.Topic(t, addr, "offsets", 1), clients.Name("group")
	for round := range int64(3) {
		cl, err := sarama.NewClient([]string{addr}, nil)
		if err != nil {
			t.Fatal(err)
		}
		offsets, err := sarama.NewOffsetManagerFromClient(group, cl)
		if err != nil {
			t.Fatal(err)
		}
		p, err := offsets.ManagePartition(topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := round * 10
		if round == 0 {
			want = sarama.OffsetNewest
		}
		if next, _ := p.NextOffset(); next != want {
			t.Errorf("round %d begins at %d, want %d", round, next, want)
		}
		p.MarkOffset(round*10+10, "a word")
		for _, end := range []func() error{p.Close, offsets.Close, cl.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	}
}
