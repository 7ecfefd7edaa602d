package worker

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestWhoComesToDamagedRecordsIsToldWhere(t *testing.T) {
	damaged := refusal{offset: 41, code: kerr.CorruptMessage.Code}.why()
	if !errors.Is(damaged, kerr.CorruptMessage) || !strings.Contains(damaged.Error(), "at offset 41 are damaged or lost") {
		t.Errorf("damaged records are told as %v", damaged)
	}
	if err := (refusal{offset: 41, code: kerr.NotLeaderForPartition.Code}).why(); err != kerr.NotLeaderForPartition {
		t.Errorf("another leader is told as %v", err)
	}
}
