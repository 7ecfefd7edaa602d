package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestADiskThatIsNearlyFullLaysNoRoomOut(t *testing.T) {
	dir := t.TempDir()
	f, err := Real{}.Open(filepath.Join(dir, "a"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.(Reserver).Reserve(0, 1<<20); errors.Is(err, ErrNoReserve) {
		t.Skipf("the file system of %s lays no room out: ext4 and XFS do, where much is free", dir)
	} else if err != nil {
		t.Fatal(err)
	}
	_, free := Space(dir)
	before, err := f.Stat()
	if err != nil || Reserved(before) < 1<<20 {
		t.Fatalf("%d bytes are laid out, %v", Reserved(before), err)
	}
	err = f.(Reserver).Reserve(1<<20, free/(leastFree/4))
	after, serr := f.Stat()
	if !errors.Is(err, ErrNoReserve) || serr != nil || Reserved(after) > 8<<20 {
		t.Errorf("a sixteenth of what is free is laid out: %v; %d bytes are, %v", err, Reserved(after), serr)
	}
}
