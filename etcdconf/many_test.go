package etcdconf

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func TestAChangeAmongTenThousandInputsIsAppliedSoon(t *testing.T) {
	m := NewMemory(KindInput)
	value := func(i int) string {
		return fmt.Sprintf(`{"paths":["/var/log/app-%d/*.log"],"topic":"topic-%d","labels":{"app":"%d"},"drop":["DEBUG","^#"]}`, i, i, i)
	}
	for i := range 10_000 {
		m.Put(fmt.Sprintf("input-%05d", i), value(i))
	}
	w := watchInputs(t, Cached(filepath.Join(t.TempDir(), "inputs.json"), m, time.Hour, nil))
	eventually(t, "all are in force", func() bool { return len(w.now().Good) == 10_000 })
	start := time.Now()
	m.Put("input-05000", value(77))
	eventually(t, "the change is in force", func() bool { return w.now().Good[5000].Topic == "topic-77" })
	took := time.Since(start)
	t.Logf("one change among 10,000 inputs was in force after %s", took)
	if took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
