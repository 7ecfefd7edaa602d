package realkafka_test

import (
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/realkafka"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestABrokerServesItsTools(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real Kafka")
	}
	b := realkafka.Start(t, realkafka.Config{})
	tools := realkafka.StartTools(t, realkafka.V4)
	t.Cleanup(tools.Close)
	run := func(stdin, class string, args ...string) realkafka.Result {
		t.Helper()
		r, err := tools.Run(t.Context(), stdin, class, append([]string{"--bootstrap-server", b.Addr}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := run("", "org.apache.kafka.tools.TopicCommand", "--create", "--topic", "a-topic"); r.Code != 0 || r.Out != "Created topic a-topic.\n" {
		t.Errorf("creating a topic: %s", r)
	}
	if r := run("", "org.apache.kafka.tools.TopicCommand", "--describe", "--topic", "no-topic"); r.Code != 1 || !strings.Contains(r.Out, "does not exist") {
		t.Errorf("describing no topic: %s", r)
	}
	if r := run("one\ntwo\n", "org.apache.kafka.tools.ConsoleProducer", "--topic", "a-topic"); r.Code != 0 {
		t.Errorf("producing: %s", r)
	}
	for range 2 { // the count of messages begins anew
		if r := run("", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "a-topic", "--from-beginning", "--max-messages", "2"); r.Out != "one\ntwo\n" {
			t.Errorf("consuming: %s", r)
		}
	}
}
