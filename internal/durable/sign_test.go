package durable

import (
	"strings"
	"testing"
)

func TestAnyFlipOrCutOfASignedFileIsFoundOutOrHarmless(t *testing.T) {
	content := "version=1\nname=web_log\npartitions=3\n"
	whole := Sign([]byte(content))
	if got, err := Unsign(whole); err != nil || string(got) != content {
		t.Fatalf("read %q, %v", got, err)
	}
	line := len("#check 0a1b2c3d\n")
	for cut := len("#check "); cut < len(whole); cut++ {
		if got, err := Unsign(whole[:cut]); err == nil {
			t.Errorf("cut at byte %d it reads %q", cut, got)
		}
	}
	for at := range whole {
		bad := append([]byte(nil), whole...)
		bad[at] ^= 1
		got, err := Unsign(bad)
		if at < len("#check ") { // it is a file by hand now, with a strange first line
			if err != nil || !strings.HasSuffix(string(got), content) {
				t.Errorf("a flip in byte %d: %q, %v", at, got, err)
			}
		} else if err == nil {
			t.Errorf("a flip in byte %d of the line's %d is not found: %q", at, line, got)
		} else if !strings.Contains(err.Error(), "put back a copy") {
			t.Errorf("no mend is named: %v", err)
		}
	}
	if got, err := Unsign([]byte(content)); err != nil || string(got) != content {
		t.Errorf("without a signature: %q, %v", got, err)
	}
}
