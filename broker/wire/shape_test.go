package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestShapesBearKafkasNames(t *testing.T) {
	for line := range strings.Lines(shapesText) {
		if line[0] == '#' {
			continue
		}
		key, versions, err := parseLine(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		if name := kmsg.NameForKey(int16(key)); !strings.EqualFold(strings.Fields(line)[1], name) || len(versions) == 0 {
			t.Errorf("%q is not how %s looks in %d versions", line, name, len(versions))
		}
	}
}

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

func TestSkimNamesTheFieldThatDoesNotFit(t *testing.T) {
	for body, says := range map[string]string{
		"":                          "field topics",
		"\x03\x01\x00":              "field topics", // the least two elements take 36 bytes
		"\xff\xff\xff\xff\x10":      "field topics", // more than 32 bits
		"\xff\xff\xff\xff\xff\x00":  "field topics",
		"\x00\x01":                  "field create",
		"\x00\x01\x01":              "field tags",
		"\x00\x01\x01\x01\x07":      "field tags", // a tag without its length
		"\x00\x01\x01\x01\x07\x02x": "field tags",
		"\x02" + "0123456789abcdef" + "\x03xy\x00\x00\x00\x00": "",
		"\x02" + "0123456789abcdef" + "\x03xy\x00\x00\x00":     "field tags",
		"\x02" + "0123456789abcdef" + "\x09xy\x00\x00\x00\x00": "field name",
	} {
		_, err := Skim(3, 12, []byte(body))
		if says == "" {
			if err != nil {
				t.Errorf("%q: %v", body, err)
			}
			continue
		}
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %s", body, err, says)
		}
	}
}
