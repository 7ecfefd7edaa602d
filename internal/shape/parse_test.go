package shape

import (
	"strings"
	"testing"
)

func TestSlipsInShapesAreFound(t *testing.T) {
	for line, says := range map[string]string{
		"3 Metadata 0-1 9":               "want key",
		"x Metadata 0-1 9 a:str":         "invalid syntax",
		"3 Metadata 0-x 9 a:str":         "invalid syntax",
		"3 Metadata 0-1 x a:str":         "invalid syntax",
		"3 Metadata 0-1 9 a:text":        `field a: there is no type "text"`,
		"3 Metadata 0-1 9 a:str@x":       "invalid syntax",
		"3 Metadata 0-1 9 a:[b:str":      "a bracket is not closed",
		"3 Metadata 0-1 9 a:[b:str]]":    "a bracket too many",
		"3 Metadata 0-1 9 a:[b:str@2]":   "an array of nothing",
		"3 Metadata 0-1 9 a:[ ]":         "there is no type",
		"3 Metadata 0-1 9 a:[str b:str]": "a bracket is not closed",
	} {
		if _, _, err := parseLine(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", line, err, says)
		}
	}
}
