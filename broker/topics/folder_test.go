package topics

import (
	"path/filepath"
	"testing"
)

func TestTheFolderIsToldWithItsWholePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := (&Topics{cfg: Config{Dir: "data"}}).Folder(); !filepath.IsAbs(got) || filepath.Base(got) != "data" {
		t.Errorf("the folder is %s", got)
	}
}
