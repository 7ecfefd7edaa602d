package follow

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sibling is a file beside a followed one whose name says that it was rotated away.
type sibling struct {
	name string
	info fileInfo
}

// siblings lists the files in base's folder that bear a rotated form of its
// name, oldest first. A folder that changes while it is listed is listed again, for
// a file that is being renamed can be missed.
func siblings(base string) ([]sibling, error) {
	name := filepath.Base(base)
	found, err := beside(base, func(n string, _ []string) bool { return rotated(name, n) })
	slices.SortStableFunc(found, func(a, b sibling) int {
		return cmp.Or(cmp.Compare(a.info.key.birth, b.info.key.birth), cmp.Compare(a.info.mtime, b.info.mtime))
	})
	return found, err
}

// beside lists the files in base's folder that wanted says yes to, who is told all names.
func beside(base string, wanted func(name string, all []string) bool) ([]sibling, error) {
	dir, _ := filepath.Split(base)
	var found []sibling
	for range 5 {
		before, err := statPath(dir)
		if err != nil {
			return nil, err
		}
		if found, err = list(dir, wanted); err != nil {
			return nil, err
		}
		after, err := statPath(dir)
		if err != nil {
			return nil, err
		}
		if before.mtime == after.mtime {
			break
		}
	}
	return found, nil
}

func list(dir string, wanted func(name string, all []string) bool) ([]sibling, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []sibling
	for _, n := range names {
		if !wanted(n, names) {
			continue
		}
		info, err := statName(filepath.Join(dir, n))
		if err == nil && info.mode.IsRegular() {
			found = append(found, sibling{name: filepath.Join(dir, n), info: info})
		}
	}
	return found, nil
}

// rotated says whether name is what base is renamed to when it is rotated:
//
//	app.log.1   app.log-20260131   app.log.2026-01-31T10:00:00   app.log.old
//	app.1.log   app-2026-01-31.log   app.log~
//
// Archives (app.log.2.gz) are not: their bytes are not the generation's (candidates).
func rotated(base, name string) bool {
	if name == base {
		return false
	}
	if rest, ok := strings.CutPrefix(name, base); ok {
		switch strings.ToLower(strings.TrimLeft(rest, ".-_")) {
		case "old", "bak", "prev", "previous", "last", "orig", "rotated", "~":
			return true
		}
		return stamp(rest)
	}
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	if ext == "" || stem == "" {
		return false
	}
	mid, ok := strings.CutPrefix(name, stem)
	if !ok {
		return false
	}
	mid, ok = strings.CutSuffix(mid, ext)
	return ok && stamp(mid)
}

// stamp says whether s is a separator and then a number, a date, or several of them.
func stamp(s string) bool {
	if len(s) < 2 || !strings.ContainsRune(".-_@,", rune(s[0])) {
		return false
	}
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune(".-_:@,+TZt", r):
		default:
			return false
		}
	}
	return digits > 0
}
