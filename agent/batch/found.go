package batch

import (
	"bytes"

	"github.com/loghaul/loghaul/internal/line"
	"github.com/loghaul/loghaul/internal/record"
)

// Run is a run of source bytes of one generation that stands in a stored batch.
type Run struct {
	Generation line.Generation
	Path       string        // as its key has it; "": its records have no key
	From, To   line.Position // what was skipped before its records is part of it
	Records    int64
	Last       []byte // the source bytes just before To as far as the last record tells them; nil: it does not
}

// Finder reads out of stored batches which source bytes they hold. It keeps its buffers
// and is for one goroutine.
type Finder struct {
	Host string // whose files are looked for

	reader record.Reader
	prefix []byte
	runs   []Run
}

// Find lists the runs of this host's files in one stored batch; records without a key
// may be anybody's. They are valid until the next call.
func (f *Finder) Find(sealed []byte) ([]Run, error) {
	if f.prefix == nil {
		f.prefix = line.AppendKey(nil, f.Host, "")
	}
	f.runs = f.runs[:0]
	err := f.reader.Read(sealed, splitLimit, func(r *record.Record) error {
		path, ours := bytes.CutPrefix(r.Key, f.prefix)
		if !ours && r.Key != nil {
			return nil
		}
		for _, kv := range r.Headers {
			if string(kv.Key) == line.HeaderPos {
				if p, err := line.ParsePos(kv.Value); err == nil { // else it is somebody else's header
					f.add(p, path, r.Value)
				}
				return nil
			}
		}
		return nil
	})
	return f.runs, err
}

// add takes one record up, into the last run if it goes on there.
func (f *Finder) add(p line.Pos, path, value []byte) {
	from := p.Start - line.Position(p.Skipped)
	n := len(f.runs) - 1
	if n < 0 || f.runs[n].Generation != p.Generation || f.runs[n].To != from || f.runs[n].Path != string(path) {
		f.runs = append(f.runs, Run{Generation: p.Generation, Path: string(path), From: from})
		n++
	}
	run := &f.runs[n]
	run.To = p.End()
	run.Records++
	run.Last = source(run.Last[:0], p, value)
}

// source is the source bytes of a record whose value is the line as it was written: its
// value with the ending that its length leaves room for.
func source(dst []byte, p line.Pos, value []byte) []byte {
	switch p.Length - int64(len(value)) {
	case 0:
		return append(dst, value...)
	case 1:
		return append(append(dst, value...), '\n')
	case 2:
		return append(append(dst, value...), "\r\n"...)
	}
	return nil
}
