package commitlog

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/record"
)

var errLayout = errors.New("it is not laid out as it should be")

// scan reads the values of a text that was printed with a layout of %d, %x and %t alone. It takes what lies between the
// words of the layout; who must know that nothing else is in the text prints it again. fmt's own scanning costs more
// than all else that opening a log does, and there may be thousands of logs.
func scan(b []byte, layout string, into ...any) error {
	for _, to := range into {
		words, rest, _ := strings.Cut(layout, "%")
		if len(b) < len(words) || string(b[:len(words)]) != words || len(rest) == 0 {
			return errLayout
		}
		verb := rest[0]
		layout, b = rest[1:], b[len(words):]
		end := len(b)
		if len(layout) > 0 {
			if end = bytes.IndexByte(b, layout[0]); end < 0 {
				return errLayout
			}
		}
		if err := scanValue(string(b[:end]), verb, to); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}

// scanValue reads one value.
func scanValue(text string, verb byte, to any) (err error) {
	base := 10
	if verb == 'x' {
		base = 16
	}
	var n int64
	switch to := to.(type) {
	case *bool:
		*to, err = strconv.ParseBool(text)
	case *uint32:
		var n uint64
		n, err = strconv.ParseUint(text, base, 32)
		*to = uint32(n)
	case *int64:
		*to, err = strconv.ParseInt(text, base, 64)
	case *record.Offset:
		n, err = strconv.ParseInt(text, base, 64)
		*to = record.Offset(n)
	default:
		err = errLayout
	}
	return err
}
