// Package nearest finds the name that somebody who made a slip of the pen had in mind.
package nearest

// longest bounds the work, which grows with the length; no name that anybody knows is longer.
const longest = 64

// Of is the known name with the fewest letters to change, and how many they are.
func Of(name string, known []string) (best string, letters int) {
	letters = 1 << 30
	name = name[:min(len(name), longest)]
	for _, k := range known {
		if d := distance(name, k); d < letters {
			best, letters = k, d
		}
	}
	return best, letters
}

// Slip is the known name that was probably meant, "" when none is near: more than a third of its letters, and one, would
// have to change.
func Slip(name string, known []string) string {
	if best, letters := Of(name, known); letters <= 1+len(best)/3 {
		return best
	}
	return ""
}

// distance is Levenshtein's: letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := corner
			if a[i] != b[j] {
				d = 1 + min(corner, row[j], row[j+1])
			}
			corner, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
