package users

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADamagedFileIsNamedWithLineAndMend(t *testing.T) {
	dir := t.TempDir()
	for text, line := range map[string]string{"{\n  \"version\": 1,\n  garbage\n}\n": "line 3", "": "line 1", "{\n  \"version\": \"one\"}": "line 2"} {
		if err := os.WriteFile(filepath.Join(dir, File), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, nil)
		for _, want := range []string{filepath.Join(dir, File), line + ":", "or remove it"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		}
	}
}
