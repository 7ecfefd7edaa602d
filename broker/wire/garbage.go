package wire

import (
	"bytes"
	"fmt"
)

// describe says what the first bytes of a connection look like when they are no Kafka request of sane size.
func describe(seen []byte, size int64, limit int) string {
	if len(seen) > 16 {
		seen = seen[:16]
	}
	for _, verb := range []string{"GET ", "POST", "HEAD", "PUT ", "OPTI", "CONN", "DELE", "PATC", "PRI "} {
		if bytes.HasPrefix(seen, []byte(verb)) {
			return fmt.Sprintf("an HTTP request (%q)", seen)
		}
	}
	switch {
	case bytes.HasPrefix(seen, []byte{0x16, 0x03}):
		return "a TLS hello; this listener speaks plain TCP"
	case bytes.HasPrefix(seen, []byte("SSH-")):
		return "an SSH greeting"
	case size < 0:
		return fmt.Sprintf("a negative length (%d)", size)
	case size < 8:
		return fmt.Sprintf("a length of %d, less than a header", size)
	}
	return fmt.Sprintf("a length of %d, more than socket.request.max.bytes (%d); first bytes %q", size, limit, seen)
}
