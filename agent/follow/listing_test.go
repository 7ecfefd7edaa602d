package follow

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestAFolderInWhichARotatorIsAtWorkIsListedWhole lists a folder again and again while each
// file in it gets the next number: none is missing, though all of them are on the move.
func TestAFolderInWhichARotatorIsAtWorkIsListedWhole(t *testing.T) {
	const files, rounds = 40, 60
	path := pathIn(t, "app.log")
	for i := 1; i <= files; i++ {
		must(t, os.WriteFile(fmt.Sprint(path, ".", i), []byte("x\n"), 0o600))
	}
	moved := make(chan error, 1) // holds what came of the rotations
	go func() {
		for n := range rounds {
			for i := files + n; i > n; i-- {
				if err := os.Rename(fmt.Sprint(path, ".", i), fmt.Sprint(path, ".", i+1)); err != nil {
					moved <- err
					return
				}
			}
			tick(t, filepath.Join(filepath.Dir(path), "beside"))
		}
		moved <- nil
	}()
	for n := 0; ; n++ {
		found, err := siblings(path)
		must(t, err)
		seen := map[fileKey]bool{}
		for _, sib := range found {
			seen[sib.info.key] = true
		}
		if len(seen) != files {
			t.Fatalf("listing %d finds %d files of %d", n, len(seen), files)
		}
		select {
		case err := <-moved:
			must(t, err)
			return
		default:
		}
	}
}

// TestAFileThatIsRenamedWhenItIsToBeOpenedIsOpenedUnderItsNewName lets the rotator go on
// between the listing of a folder and the opening of what is in it.
func TestAFileThatIsRenamedWhenItIsToBeOpenedIsOpenedUnderItsNewName(t *testing.T) {
	for _, packed := range []bool{false, true} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, 30))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		for i := 3; i < 7; i++ {
			rotateAll(t, path)
			if packed {
				compress(t, path+".1", ".gz")
			}
			appendTo(t, path, numbered(i*10, i*10+10))
		}
		rotations := 0
		cfg.Allow = func(real string) error { // asked when a file is to be opened
			if real != path && rotations < 3 {
				rotations++
				for i := 9; i > 0; i-- {
					for _, ext := range []string{"", ".gz"} {
						if err := os.Rename(fmt.Sprint(path, ".", i, ext), fmt.Sprint(path, ".", i+1, ext)); err != nil && !os.IsNotExist(err) {
							return err
						}
					}
				}
			}
			return nil
		}
		tl.restart(cfg)
		tl.quiet()
		tl.want(tl.text.String(), numbered(0, 70))
		if rotations != 3 {
			t.Errorf("%d rotations while files were opened, want 3", rotations)
		}
	}
}
