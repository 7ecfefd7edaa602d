package produce

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestARefusalThatAFullDiskGivesSaysWhereToLook(t *testing.T) {
	err := refusal(answer{code: kerr.NotEnoughReplicas.Code})
	if !errors.Is(err, kerr.NotEnoughReplicas) || !strings.Contains(err.Error(), "loghaul status groups") {
		t.Errorf("the refusal is %v", err)
	}
	if err := refusal(answer{code: kerr.NotLeaderForPartition.Code}); err != error(kerr.NotLeaderForPartition) {
		t.Errorf("another one is %v", err)
	}
}
