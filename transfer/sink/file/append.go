package file

import (
	"encoding/json"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/loghaul/loghaul/transfer/sink"
)

// appender gathers lines and writes them in large pieces at a known place. After an error it does nothing.
type appender struct {
	file *os.File
	at   int64 // where buf goes
	buf  []byte
	err  error
}

// add appends one record as a line, or as one JSON object.
func (w *appender) add(r *sink.Record, b *sink.Batch, asJSON bool) {
	if asJSON {
		if len(w.buf) >= bufferSize/2 {
			w.flush()
		}
		w.buf = append(appendJSON(w.buf, r, b), '\n')
		return
	}
	if len(w.buf)+len(r.Value)+1 > cap(w.buf) {
		w.flush()
		if len(r.Value)+1 > cap(w.buf) {
			w.write(r.Value)
			w.buf = append(w.buf, '\n')
			return
		}
	}
	w.buf = append(w.buf, r.Value...)
	w.buf = append(w.buf, '\n')
}

// flush writes what was gathered.
func (w *appender) flush() {
	w.write(w.buf)
	w.buf = w.buf[:0]
}

func (w *appender) write(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	n, err := w.file.WriteAt(p, w.at)
	w.at += int64(n)
	w.err = err
}

// appendJSON is a record as one object: topic, partition, offset, time, key, headers, line.
func appendJSON(dst []byte, r *sink.Record, b *sink.Batch) []byte {
	dst = appendString(append(dst, `{"topic":`...), b.Topic)
	dst = strconv.AppendInt(append(dst, `,"partition":`...), int64(b.Partition), 10)
	dst = strconv.AppendInt(append(dst, `,"offset":`...), int64(r.Offset), 10)
	dst = append(dst, `,"time":"`...)
	dst = time.UnixMilli(r.Time).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = appendBytes(append(dst, `","key":`...), r.Key)
	dst = append(dst, `,"headers":{`...)
	for i, h := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, string(h.Key))
		dst = appendBytes(append(dst, ':'), h.Value)
	}
	dst = appendBytes(append(dst, `},"line":`...), r.Value)
	return append(dst, '}')
}

// appendBytes is b as a JSON string, or null; bytes that are not UTF-8 become U+FFFD.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendString(dst, string(b))
		}
	}
	dst = append(dst, '"')
	dst = append(dst, b...)
	return append(dst, '"')
}

func appendString(dst []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...) // Marshal fails for no string
	}
	return append(dst, q...)
}
