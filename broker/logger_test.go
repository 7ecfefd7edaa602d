package broker_test

import (
	"log/slog"
	"testing"

	"github.com/IBM/sarama"
	"github.com/loghaul/loghaul/broker"
)

func TestTheLogLevelIsChangedByAClient(t *testing.T) {
	level := new(slog.LevelVar)
	r := start(t, broker.Config{Level: level})
	admin := saramaAdmin(t, r, sarama.V2_8_0_0)
	debug, loud := "DEBUG", "LOUD"
	set := func(name string, value *string) error {
		return admin.IncrementalAlterConfig(sarama.BrokerLoggerResource, "1", map[string]sarama.IncrementalAlterConfigsEntry{name: {Value: value}}, false)
	}
	if err := set("root", &loud); err == nil {
		t.Error("a level that there is not was taken")
	}
	if err := set("kafka.server.KafkaApis", &debug); err == nil {
		t.Error("a logger that there is not was taken")
	}
	if level.Level() != slog.LevelInfo {
		t.Errorf("the level became %s", level)
	}
	if err := set("root", &debug); err != nil {
		t.Fatal(err)
	}
	if got := settingOf(t, admin, sarama.BrokerLoggerResource, "1", "root"); level.Level() != slog.LevelDebug || got.Value != "DEBUG" {
		t.Errorf("the level is %s and shown as %+v, want DEBUG", level, got)
	}
	fixed := saramaAdmin(t, start(t, broker.Config{}), sarama.V2_8_0_0)
	if err := fixed.IncrementalAlterConfig(sarama.BrokerLoggerResource, "1", map[string]sarama.IncrementalAlterConfigsEntry{"root": {Value: &debug}}, false); err == nil {
		t.Error("a broker whose level is fixed took another")
	}
}
