package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecordsThatAreMissingAreFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), &loghaul{program: self, env: []string{"BENCH_TEST_AS_LOGHAUL=1"}}, filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	if err := oneEach(t.Context(), s.addr, "bench", 3); err != nil {
		t.Fatal(err)
	}
	if err := holds(t.Context(), s.addr, "bench", 3, 3); err != nil {
		t.Errorf("three records in three partitions: %v", err)
	}
	if err := holds(t.Context(), s.addr, "bench", 3, 4); err == nil || !strings.Contains(err.Error(), "holds 3 records of 4") {
		t.Errorf("a record that is missing = %v", err)
	}
	if _, err := ends(t.Context(), s.addr, "bench", 4); err == nil || !strings.Contains(err.Error(), "bench-3") {
		t.Errorf("a partition that is missing = %v", err)
	}
}
