package follow

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/agent/archive"
)

// older says which of two files rotated away from base is the older one: by the dates in
// their names, else by when they were written last, which compressors keep. Counters do
// not tell: most rotators count the newest 1, some the oldest.
func older(base string, a, b sibling) bool {
	byName, known := olderName(base, a.name, b.name)
	if known && dated(stampOf(base, a.name)) || a.info.mtime == b.info.mtime {
		return byName
	}
	return a.info.mtime < b.info.mtime
}

// olderName says which of two files rotated away from base is the older one by its name:
// an earlier date (app.log-20260131), or a higher counter (app.log.2). known is false
// when the names do not tell.
func olderName(base, a, b string) (older, known bool) {
	x, y := stampOf(base, a), stampOf(base, b)
	if x == "" || y == "" || dated(x) != dated(y) {
		return false, false
	}
	if !dated(x) {
		x, y = y, x
	}
	if len(x) != len(y) {
		if dated(x) {
			return false, false // of another form: with a time, or with a counter of the day
		}
		return len(x) < len(y), true
	}
	return x < y, x != y
}

// stampOf is the number in a rotated name, its digits alone and without zeros before a counter.
func stampOf(base, name string) string {
	name, base = filepath.Base(name), filepath.Base(base)
	name, _ = archive.Trim(name)
	if name == base {
		return ""
	}
	mid, ok := strings.CutPrefix(name, base)
	if !ok {
		ext := filepath.Ext(base)
		mid = strings.TrimSuffix(strings.TrimPrefix(name, strings.TrimSuffix(base, ext)), ext)
	}
	var digits []byte
	for _, c := range []byte(mid) {
		if c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	if dated(string(digits)) {
		return string(digits)
	}
	return strings.TrimLeft(string(digits), "0")
}

// dated says whether digits begin with a year, or are seconds since 1970.
func dated(digits string) bool {
	return len(digits) >= 6 && (strings.HasPrefix(digits, "19") || strings.HasPrefix(digits, "20")) || len(digits) == 10 && digits[0] == '1'
}

// sortByAge sorts files rotated away from base, oldest first.
func sortByAge(base string, sibs []sibling) {
	slices.SortStableFunc(sibs, func(a, b sibling) int {
		switch {
		case older(base, a, b):
			return -1
		case older(base, b, a):
			return 1
		}
		return 0
	})
}

// bases are the names that a file called name may have been rotated away from, itself
// included: those of its folder that rotated knows.
func bases(name string) []string {
	dir, name := filepath.Split(name)
	found := []string{filepath.Join(dir, name)}
	for i := 1; i < len(name); i++ {
		if rotated(name[:i], name) {
			found = append(found, filepath.Join(dir, name[:i]))
		}
		for j := i + 1; j < len(name); j++ {
			if base := name[:i] + name[j:]; name[j] == '.' && rotated(base, name) {
				found = append(found, filepath.Join(dir, base))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
