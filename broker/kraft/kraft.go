// Package kraft reads what the controller of a Kafka wrote down about its topics and settings, in the data folder that
// the Kafka left. It writes nothing.
package kraft

// Notes for maintainers. The controller keeps one log of keyed changes, __cluster_metadata-0, in the format of all
// partitions, and from time to time a snapshot of what they come to, after which older segments may be deleted:
//
//	00000000000000000000.log                     changes, from that offset on
//	00000000000000000123-0000000007.checkpoint   the state before offset 123
//
// The newest whole snapshot is read, then the changes behind it. A Kafka that was killed may have left a torn end.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/record"
)

// Folder is where a Kafka's controller keeps its log, below the data folder.
const Folder = "__cluster_metadata-0"

// mostBatch bounds one batch of the log and what it unpacks to; Kafka's own are at most 8 MiB.
const mostBatch = 64 << 20

// mostPacked bounds how many batches may be packed, each of which may come to mostBatch: a Kafka packs none of this log.
const mostPacked = 16

// mostDoubted bounds how many bytes are checked behind a damaged place for whether they are batches: many that look like
// one may each seem to reach to the end of the file.
const mostDoubted = 256 << 20

// Metadata is what a Kafka knew. Nobody changes it once it is read.
type Metadata struct {
	Topics      map[string]Topic             // by name
	Brokers     map[string]map[string]string // settings changed while brokers ran, by node id; "" for those of all brokers
	Groups      map[string]map[string]string // settings of consumer groups
	LeaderEpoch int32                        // no partition has had a higher one; -1: none is known
	ProducerID  int64                        // none as high has been given out
	Users       []string                     // with credentials for SCRAM
	Rules       int                          // of access control
	Quotas      int                          // of clients and users
	Torn        string                       // why the log's end could not be read, and where; "": it could
}

// Topic is one topic of the Kafka.
type Topic struct {
	ID         [16]byte
	Partitions int
	Settings   map[string]string // its own
}

// Read reads the metadata below a data folder; nil without an error when there is none.
func Read(fsys disk.FS, data string) (*Metadata, error) {
	dir := filepath.Join(data, Folder)
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the metadata of a Kafka: %w", err)
	}
	m, err := read(fsys, dir, entries)
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of a Kafka in %s: %w", dir, err)
	}
	return m, nil
}

func read(fsys disk.FS, dir string, entries []fs.DirEntry) (*Metadata, error) {
	snapshot, logs := parts(entries)
	s := newState()
	if snapshot.name != "" {
		if torn, _, err := s.file(fsys, filepath.Join(dir, snapshot.name), 0); err != nil {
			return nil, err
		} else if torn != "" {
			return nil, fmt.Errorf("%s is damaged: %s", snapshot.name, torn)
		}
	}
	next := snapshot.offset // the first change that is still to come
	for i, l := range logs {
		if i+1 < len(logs) && logs[i+1].offset <= snapshot.offset {
			continue // the snapshot has all of it
		}
		if l.offset > next {
			return nil, fmt.Errorf("the changes from offset %d on are missing, %s comes next", next, l.name)
		}
		path := filepath.Join(dir, l.name)
		torn, end, err := s.file(fsys, path, snapshot.offset)
		if err != nil {
			return nil, err
		}
		if next = max(next, end); torn != "" {
			if i+1 < len(logs) {
				return nil, fmt.Errorf("%s is damaged: %s", l.name, torn)
			}
			s.torn = path + ": " + torn
		}
	}
	return s.metadata(), nil
}

// part is a file of the log and the offset in its name.
type part struct {
	name   string
	offset record.Offset
}

// parts are the newest snapshot and the segments, in order.
func parts(entries []fs.DirEntry) (snapshot part, logs []part) {
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if digits, ok := strings.CutSuffix(e.Name(), ".log"); ok && len(digits) == 20 {
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
				logs = append(logs, part{e.Name(), record.Offset(n)})
			}
		}
		name, ok := strings.CutSuffix(e.Name(), ".checkpoint")
		digits, _, dashed := strings.Cut(name, "-")
		if n, err := strconv.ParseInt(digits, 10, 64); ok && dashed && err == nil && (snapshot.name == "" || record.Offset(n) > snapshot.offset) {
			snapshot = part{e.Name(), record.Offset(n)}
		}
	}
	slices.SortFunc(logs, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return snapshot, logs
}

// file applies the records of one file that lie at or behind an offset. torn says where and why it ends before its time,
// end is the offset behind the last batch.
func (s *state) file(fsys disk.FS, path string, from record.Offset) (torn string, end record.Offset, err error) {
	f, err := fsys.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	var reader record.Reader
	for pos := int64(0); pos < info.Size(); {
		batch, h, why, err := batchAt(f, pos, info.Size())
		switch {
		case err != nil:
			return "", 0, fmt.Errorf("reading %s at position %d: %w", path, pos, err)
		case why != "":
			torn = fmt.Sprintf("%s at position %d", why, pos)
			behind, err := soundBehind(f, pos+1, info.Size(), end)
			if err == nil && behind >= 0 {
				err = fmt.Errorf("%s is damaged: %s, and there are changes behind it, at position %d", path, torn, behind)
			}
			return torn, end, err
		}
		pos, end = pos+int64(h.Size()), h.NextOffset()
		if h.Control() {
			continue
		}
		if h.Codec() != record.None {
			if s.packed++; s.packed > mostPacked {
				return "", 0, fmt.Errorf("reading %s at offset %d: more than %d batches are packed, and a Kafka packs none of them", path, h.BaseOffset, mostPacked)
			}
		}
		err = reader.Read(batch, mostBatch, func(r *record.Record) error {
			if r.Offset < from {
				return nil
			}
			return s.apply(r.Value)
		})
		if err != nil {
			return "", 0, fmt.Errorf("reading %s at offset %d: %w", path, h.BaseOffset, err)
		}
	}
	return "", end, nil
}

// batchAt is the batch at a position of a file of so many bytes; why says that there is no whole one.
func batchAt(f disk.File, pos, size int64) (batch []byte, h record.Header, why string, err error) {
	if size-pos < record.HeaderSize {
		return nil, h, "a cut batch", nil
	}
	head := make([]byte, record.HeaderSize)
	if _, err := f.ReadAt(head, pos); err != nil {
		return nil, h, "", err
	}
	h, err = record.ParseHeader(head)
	if err != nil || h.Size() < record.HeaderSize || h.Size() > mostBatch || pos+int64(h.Size()) > size {
		return nil, h, "no whole batch", nil
	}
	batch = make([]byte, h.Size())
	if _, err := f.ReadAt(batch, pos); err != nil && err != io.EOF {
		return nil, h, "", err
	}
	if !record.CheckCRC(batch) {
		return nil, h, "bad CRC", nil
	}
	return batch, h, "", nil
}

// soundBehind is where the first whole batch of an offset that has not been lies at or behind a position, -1 if nowhere:
// an end that a power cut tore has nothing behind it, a damaged place has.
func soundBehind(f disk.File, pos, size int64, from record.Offset) (int64, error) {
	window := make([]byte, 64<<10+record.HeaderSize)
	doubted := int64(0)
	for ; size-pos >= record.HeaderSize; pos += 64 << 10 {
		n, err := f.ReadAt(window[:min(int64(len(window)), size-pos)], pos)
		if err != nil && err != io.EOF {
			return -1, err
		}
		for i := 0; i < 64<<10 && i+record.HeaderSize <= n; i++ {
			if window[i+16] != 2 { // the format
				continue
			}
			h, err := record.ParseHeader(window[i:n])
			if err != nil || h.BaseOffset < from || h.BaseOffset > from+1<<40 {
				continue
			}
			if doubted += max(0, min(int64(h.Size()), size-pos)); doubted > mostDoubted {
				return pos + int64(i), nil // nobody's torn end looks so
			}
			if _, _, why, err := batchAt(f, pos+int64(i), size); err != nil || why == "" {
				return pos + int64(i), err
			}
		}
	}
	return -1, nil
}

// metadata is what the state comes to for others.
func (s *state) metadata() *Metadata {
	m := &Metadata{Topics: map[string]Topic{}, Brokers: map[string]map[string]string{}, Groups: map[string]map[string]string{},
		LeaderEpoch: s.epoch, ProducerID: s.producerID, Rules: len(s.rules), Quotas: len(s.quotas), Torn: s.torn}
	for name, t := range s.topics {
		m.Topics[name] = Topic{ID: t.id, Partitions: len(t.partitions), Settings: maps.Clone(s.settings[resource{ofTopic, name}])}
	}
	for r, own := range s.settings {
		switch r.kind {
		case ofBroker:
			m.Brokers[r.name] = maps.Clone(own)
		case ofGroup:
			m.Groups[r.name] = maps.Clone(own)
		}
	}
	for user := range s.users {
		m.Users = append(m.Users, user)
	}
	slices.Sort(m.Users)
	return m
}
