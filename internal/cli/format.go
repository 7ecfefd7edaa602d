package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/record"
)

// format turns records into what --format asks for.
type format []piece

// piece is a literal, or a verb: one of t p o T k h s.
type piece struct {
	literal string
	verb    byte
}

func parseFormat(s string) (format, error) {
	var f format
	var literal strings.Builder
	for i := 0; i < len(s); i++ {
		if (s[i] != '%' && s[i] != '\\') || i+1 == len(s) {
			literal.WriteByte(s[i])
			continue
		}
		c := s[i]
		i++
		switch {
		case c == '\\' && strings.IndexByte(`ntr0\`, s[i]) >= 0:
			literal.WriteByte(map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '0': 0, '\\': '\\'}[s[i]])
		case c == '\\':
			return nil, usageErrorf(`--format: \%c is not known: there are \n \t \r \0 \\`, s[i])
		case s[i] == '%':
			literal.WriteByte('%')
		case strings.IndexByte("tpoTkhs", s[i]) >= 0:
			f = append(f, piece{literal.String(), s[i]})
			literal.Reset()
		default:
			return nil, usageErrorf("--format: %%%c is not known: there are %%t %%p %%o %%T %%k %%h %%s", s[i])
		}
	}
	return append(f, piece{literal: literal.String()}), nil
}

// append writes one record behind dst.
func (f format) append(dst []byte, topic string, partition int32, r *record.Record) []byte {
	for _, p := range f {
		dst = append(dst, p.literal...)
		switch p.verb {
		case 't':
			dst = append(dst, topic...)
		case 'p':
			dst = strconv.AppendInt(dst, int64(partition), 10)
		case 'o':
			dst = strconv.AppendInt(dst, int64(r.Offset), 10)
		case 'T':
			dst = time.UnixMilli(r.Timestamp).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
		case 'k':
			dst = append(dst, r.Key...)
		case 'h':
			dst = appendHeaders(dst, r.Headers)
		case 's':
			dst = append(dst, r.Value...)
		}
	}
	return dst
}

func appendHeaders(dst []byte, headers []record.KV) []byte {
	for i, h := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, h.Key...), '='), h.Value...)
	}
	return dst
}
