package wire

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestShapesBearKafkasNames(t *testing.T) {
	for line := range strings.Lines(shapesText) {
		if line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		key, err := strconv.ParseInt(words[0], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		if name := kmsg.NameForKey(int16(key)); !strings.EqualFold(words[1], name) {
			t.Errorf("%q is not how %s looks", line, name)
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
