package follow

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/line"
)

// ErrGone says that a generation's bytes are nowhere any more.
var ErrGone = errors.New("the file is gone, or was truncated")

// ReadRange appends to dst the bytes [start, end) of the generation of cp, which
// is looked for at path, among the rotated files beside it and in their archives. It
// wraps ErrGone when they cannot be had.
func ReadRange(path string, cp Checkpoint, start, end line.Position, dst []byte) ([]byte, error) {
	f, err := findRange(path, cp)
	if errors.Is(err, ErrGone) {
		data, found, packed := readPacked(path, cp, start, end, dst)
		if found {
			return data, nil
		}
		if packed != nil && !missing(packed) {
			err = packed
		}
	}
	if err != nil {
		return dst, fmt.Errorf("looking for generation %s of %s: %w", cp.ID.Generation(), path, err)
	}
	defer f.close()
	from := len(dst)
	dst = append(dst, make([]byte, end-start)...)
	for at := from; at < len(dst); {
		n, err := f.pread(dst[at:], int64(start)+int64(at-from))
		if err == nil && n == 0 {
			err = ErrGone
		}
		if err != nil {
			return dst[:from], fmt.Errorf("reading bytes %d to %d of %s: %w", start, end, f.name, err)
		}
		at += n
	}
	return dst, nil
}

// findRange opens the file that holds the generation of cp, or its copy.
func findRange(path string, cp Checkpoint) (file, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	names := []string{path}
	sibs, err := relatives(path)
	if err != nil && !missing(err) {
		return file{}, err
	}
	for _, sib := range sibs {
		names = append(names, sib.name)
	}
	gone := ErrGone
	for _, copied := range []bool{false, true} {
		for _, name := range names {
			f, err := openFile(name, nil)
			same := false
			if err == nil {
				same, err = verify(f, cp)
			}
			if same && (sameNode(cp, f.info.key) || copied && copyOf(f, cp)) {
				return f, nil
			}
			f.close()
			if err != nil && hasNode(name, cp) {
				gone = err // it is there, and what keeps it from being read may pass
			}
		}
	}
	return file{}, gone
}

// hasNode says whether name leads to the file of cp.
func hasNode(name string, cp Checkpoint) bool {
	info, err := statPath(name)
	return err == nil && sameNode(cp, info.key)
}
