package follow

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sibling is a file beside a followed one whose name says that it was rotated away.
type sibling struct {
	name string
	info fileInfo
}

// siblings lists the files in base's folder that bear a rotated form of its
// name, oldest first.
func siblings(base string) ([]sibling, error) { return rotatedFrom(base, base) }

// relatives lists the files that a file first known as name may be by now. If name is a rotated
// one itself, as under a wide pattern, the next rotation gives the file another of those.
func relatives(name string) ([]sibling, error) { return rotatedFrom(name, bases(name)...) }

// rotatedFrom lists the files beside name that bear a rotated form of one of names, oldest first.
func rotatedFrom(name string, names ...string) ([]sibling, error) {
	found, err := beside(name, names, func(n string, _ []string) bool {
		return slices.ContainsFunc(names, func(base string) bool { return rotated(filepath.Base(base), n) })
	})
	slices.SortStableFunc(found, func(a, b sibling) int {
		return cmp.Or(cmp.Compare(a.info.key.birth, b.info.key.birth), cmp.Compare(a.info.mtime, b.info.mtime))
	})
	return found, err
}

// renamesMost bounds how often a file is looked for that was renamed when it was to be opened.
const renamesMost = 20

// openSibling opens the file that sib is, under whatever name it has by now: a rotator moves
// all of them while it is at work, and under the name of one lies another then.
func (s *Stream) openSibling(sib sibling) (file, error) {
	for range renamesMost {
		f, err := openFile(sib.name, s.cfg.Allow)
		if err == nil && f.info.key == sib.info.key {
			return f, nil
		}
		f.close()
		if err != nil && !missing(err) {
			return file{}, err
		}
		sibs, err := relatives(s.realPath())
		if err != nil {
			return file{}, err
		}
		i := slices.IndexFunc(sibs, func(now sibling) bool { return now.info.key == sib.info.key })
		if i < 0 {
			return file{}, fs.ErrNotExist
		}
		sib.name = sibs[i].name
	}
	return file{}, fmt.Errorf("%s is renamed faster than it can be opened", sib.name)
}

// listingsMost bounds how often a folder is listed that changes meanwhile.
const listingsMost = 40

// clockTick is within which two changes of a folder may bear the same time.
const clockTick = 10 * time.Millisecond

// beside lists the files in base's folder that begin as one of names does without its extension and that
// wanted says yes to, who is told all names, sorted.
// While a rotator is at work a listing can miss what is being renamed, so the folder is
// listed until it has kept still; what any of the listings has found counts.
func beside(base string, names []string, wanted func(name string, all []string) bool) ([]sibling, error) {
	dir, _ := filepath.Split(base)
	var found []sibling
	at := map[fileKey]int{} // in found
	for n, still := 0, 0; n < listingsMost && still < 2; n++ {
		before, err := statPath(dir)
		if err != nil {
			return nil, err
		}
		all, err := namesIn(dir, before)
		if err != nil {
			return nil, err
		}
		now := list(dir, all, names, wanted)
		for _, sib := range now {
			if i, there := at[sib.info.key]; there {
				found[i] = sib
				continue
			}
			at[sib.info.key] = len(found)
			found = append(found, sib)
		}
		after, err := statPath(dir)
		if err != nil {
			return nil, err
		}
		switch {
		case before.mtime != after.mtime:
			still = 0
		case time.Since(time.Unix(0, after.mtime)).Abs() > clockTick:
			still = 2
		default:
			still++
		}
	}
	return found, nil
}

func list(dir string, all, names []string, wanted func(name string, all []string) bool) (found []sibling) {
	asked := map[string]bool{}
	for _, base := range names {
		for _, n := range beginning(all, stem(filepath.Base(base))) {
			if asked[n] || !wanted(n, all) {
				continue
			}
			asked[n] = true
			info, err := statName(filepath.Join(dir, n))
			if err == nil && info.mode.IsRegular() {
				found = append(found, sibling{name: filepath.Join(dir, n), info: info})
			}
		}
	}
	return found
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
