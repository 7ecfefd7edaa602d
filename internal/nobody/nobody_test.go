package nobody

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestRootIsRefusedNothingButNobodyIs(t *testing.T) {
	if Again(t) || runtime.GOOS == "windows" {
		return
	}
	path := filepath.Join(t.TempDir(), "closed")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); !os.IsPermission(err) {
		t.Errorf("reading a file of mode 0: %v", err)
	}
}
