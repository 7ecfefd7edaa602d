package discover

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Access says what may be read, whatever the patterns ask for. Paths are judged
// after their symlinks are resolved. Safe for concurrent use.
type Access struct {
	Roots         []string // folders below which files may be read
	WorldReadable bool     // outside Roots: files that others may read, in folders that others may search
	Never         []string // folders and files that loghaul itself writes

	mu struct {
		sync.Mutex
		at    time.Time // when they were resolved
		roots []string  // Roots after symlinks
		never []string  // Never after symlinks
	}
}

// resolved gives Roots and Never after symlinks, at most ten seconds old.
func (a *Access) resolved() (roots, never []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.at.IsZero() || time.Since(a.mu.at) > 10*time.Second {
		a.mu.roots, a.mu.never, a.mu.at = resolve(a.Roots), resolve(a.Never), time.Now()
	}
	return a.mu.roots, a.mu.never
}

// resolve resolves the symlinks of each path as far as it exists.
func resolve(paths []string) []string {
	var reals []string
	for _, p := range paths {
		p, rest := filepath.Clean(p), ""
		for {
			if real, err := filepath.EvalSymlinks(p); err == nil {
				p = real
				break
			}
			up := filepath.Dir(p)
			if up == p {
				break
			}
			p, rest = up, filepath.Join(filepath.Base(p), rest)
		}
		reals = append(reals, filepath.ToSlash(filepath.Join(p, rest)))
	}
	return reals
}

// Check says why the file may not be read; nil: it may. real is its path after
// symlinks. The error names the --allow-root that would allow it.
func (a *Access) Check(real string) error {
	real = filepath.ToSlash(real)
	if err := a.checkPlace(real); err != nil {
		return err
	}
	roots, _ := a.resolved()
	if within(real, roots) {
		return nil
	}
	folder := filepath.Dir(filepath.FromSlash(real))
	if !a.WorldReadable {
		return fmt.Errorf("%s is outside the allowed roots (%s): allow it with --allow-root %s", real, strings.Join(a.Roots, ", "), folder)
	}
	if st, err := os.Stat(real); err != nil {
		return err
	} else if st.Mode().Perm()&0o004 == 0 || !searchable(folder) {
		return fmt.Errorf("%s is outside the allowed roots and not readable by everyone: allow it with --allow-root %s", real, folder)
	}
	return nil
}

// checkFolder says why no file below the real folder can be read; nil: some may.
func (a *Access) checkFolder(real string) error {
	if err := a.checkPlace(real); err != nil {
		return err
	}
	roots, _ := a.resolved()
	if within(real, roots) {
		return nil
	}
	for _, root := range roots {
		if _, ok := below(root, real); ok {
			return nil
		}
	}
	if a.WorldReadable && searchable(real) {
		return nil
	}
	if a.WorldReadable {
		return fmt.Errorf("%s is outside the allowed roots and not open to everyone: allow it with --allow-root %s", real, real)
	}
	return fmt.Errorf("%s is outside the allowed roots (%s): allow it with --allow-root %s", real, strings.Join(a.Roots, ", "), real)
}

// checkPlace refuses what no flag allows.
func (a *Access) checkPlace(real string) error {
	_, never := a.resolved()
	for _, n := range never {
		if _, ok := below(real, n); ok {
			return fmt.Errorf("%s is written by loghaul itself (%s): it is never followed", real, n)
		}
	}
	if name := pseudo(real); name != "" {
		return fmt.Errorf("%s lies on a %s filesystem, which holds no logs: it is never followed", real, name)
	}
	return nil
}

func within(real string, folders []string) bool {
	for _, f := range folders {
		if _, ok := below(real, f); ok {
			return true
		}
	}
	return false
}

// searchable says whether others may search folder and all above it.
func searchable(folder string) bool {
	for {
		st, err := os.Stat(folder)
		if err != nil || !st.IsDir() || st.Mode().Perm()&fs.FileMode(0o001) == 0 {
			return false
		}
		up := filepath.Dir(folder)
		if up == folder {
			return true
		}
		folder = up
	}
}
