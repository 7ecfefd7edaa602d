package e2e

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/loghaul/loghaul/internal/cli"
)

// verified runs loghaul verify, which must find every byte explained and none twice, and
// wants so many bytes delivered in all.
func verified(t *testing.T, broker string, want int64, more ...string) {
	t.Helper()
	var out, talk bytes.Buffer
	code := cli.Run(t.Context(), append([]string{"verify", "--brokers", broker, "-o", "json"}, more...), cli.Streams{Stdout: &out, Stderr: &talk})
	if code != 0 {
		t.Errorf("verify ended with %d: %s", code, talk.String())
	}
	var found struct {
		Files []struct {
			Acked, Delivered, Skipped, Waiting int64
		}
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	delivered := int64(0)
	for _, f := range found.Files {
		if delivered += f.Delivered; f.Delivered != f.Acked || f.Skipped != 0 || f.Waiting != 0 {
			t.Errorf("verify says of a file of which all is sent: %+v", f)
		}
	}
	if len(found.Files) == 0 || delivered != want {
		t.Errorf("verify finds %d bytes delivered, of %d files; %d were written", delivered, len(found.Files), want)
	}
}

// bytesOf is how much the writers wrote in all.
func bytesOf(writers []*writer) (n int64) {
	for _, w := range writers {
		for i := range w.written {
			n += int64(len(text(w.name(), i))) + 1
		}
	}
	return n
}
