package etcdconf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/loghaul/loghaul/internal/durable"
)

// Cached is src with a memory on disk: what src last said, and of each value that was refused the last good one, lie in
// file. When src has not answered within wait (0: three seconds), what lies there is applied, and src again as soon as
// it answers. A damaged file is ignored with a line in log, which may be nil.
func Cached(file string, src Source, wait time.Duration, log *slog.Logger) Source {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &cached{file: file, src: src, wait: orElse(wait, 3*time.Second), log: log}
}

// cached is driven by one Watch at a time; its fields below log belong to that Watch and to the apply it calls.
type cached struct {
	file string
	src  Source
	wait time.Duration
	log  *slog.Logger

	before []Value // what was on disk at the start, the good ones last
	now    record  // what is or will be on disk
	known  bool    // now came from src, not from disk
}

// record is the file's content: first a line with the CRC-32C of the rest in hex, then JSON. What may change: fields
// may be added; a reader passes over those it does not know.
type record struct {
	Version int       `json:"version"` // 1
	Saved   time.Time `json:"saved"`
	Values  []stored  `json:"values"` // the whole, as src said it last
	Good    []stored  `json:"good"`   // those that were in force, where they differ from Values
}

type stored struct {
	Name     string   `json:"name"`
	Key      string   `json:"key"`
	Revision Revision `json:"revision"`
	Data     []byte   `json:"data"` // base64, since a bad value need not be UTF-8
	Err      string   `json:"err,omitempty"`
}

func toStored(values []Value) []stored {
	out := make([]stored, len(values))
	for i, v := range values {
		out[i] = stored{Name: v.Name, Key: v.Key, Revision: v.Revision, Data: v.Data}
		if v.Err != nil {
			out[i].Err = v.Err.Error()
		}
	}
	return out
}

func fromStored(in []stored) []Value {
	values := make([]Value, len(in))
	for i, s := range in {
		values[i] = Value{Name: s.Name, Key: s.Key, Revision: s.Revision, Data: s.Data}
		if s.Err != "" {
			values[i].Err = errors.New(s.Err)
		}
	}
	return values
}

// Watch keeps the promise of Source.
func (c *cached) Watch(ctx context.Context, apply func(values []Value)) error {
	if err := c.load(); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.log.Warn("ignoring the cached configuration", "file", c.file, "because", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	updates := make(chan []Value) // never closed: its one sender ends with ctx
	var result error
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		defer close(ended)
		result = c.src.Watch(ctx, func(values []Value) {
			select {
			case updates <- values:
			case <-ctx.Done():
			}
		})
	})
	defer watching.Wait()
	defer cancel()
	late := time.NewTimer(c.wait)
	defer late.Stop()
	for {
		select {
		case <-ended:
			return result
		case values := <-updates:
			late.Stop()
			c.take(values, apply)
		case <-late.C:
			if c.now.Version == 0 || c.known {
				continue
			}
			c.log.Warn("no answer yet; going on with the cached configuration", "file", c.file, "saved", c.now.Saved)
			apply(fromStored(c.now.Values))
		}
	}
}

// take applies what src said and then saves it, with what the apply found good.
func (c *cached) take(values []Value, apply func([]Value)) {
	before := c.now
	c.known = true
	c.now = record{Version: 1, Values: toStored(values), Good: before.Good}
	apply(values)
	equal := func(a, b []stored) bool { return slices.EqualFunc(fromStored(a), fromStored(b), Value.same) }
	if before.Version == 1 && equal(before.Values, c.now.Values) && equal(before.Good, c.now.Good) {
		c.now.Saved = before.Saved
		return
	}
	c.now.Saved = time.Now().UTC()
	if err := c.save(); err != nil {
		c.log.Error("the configuration could not be cached: without etcd the next start will use an older one", "because", err)
	}
}

// lastGood is what was in force before this start.
func (c *cached) lastGood() []Value { return c.before }

// keepGood is told by WatchInputs and WatchSinks, from within apply, what is in force.
func (c *cached) keepGood(values []Value) {
	c.now.Good = nil
	newest := make(map[string]Value, len(values))
	for _, v := range fromStored(c.now.Values) {
		newest[v.Name] = v
	}
	for _, v := range values {
		if !v.same(newest[v.Name]) {
			c.now.Good = append(c.now.Good, toStored([]Value{v})...)
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *cached) load() error {
	b, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	var sum uint32
	if len(b) < 9 || b[8] != '\n' {
		return errors.New("it is cut short")
	}
	if _, err := fmt.Sscanf(string(b[:8]), "%08x", &sum); err != nil || sum != crc32.Checksum(b[9:], castagnoli) {
		return errors.New("its checksum does not fit")
	}
	var s record
	if err := json.Unmarshal(b[9:], &s); err != nil {
		return err
	}
	if s.Version != 1 {
		return fmt.Errorf("it has version %d, of which this program knows nothing", s.Version)
	}
	c.now, c.before = s, append(fromStored(s.Values), fromStored(s.Good)...)
	return nil
}

// save replaces the file as a whole: whoever reads it after a crash at any moment finds the old or the new one.
func (c *cached) save() error {
	b, err := json.Marshal(c.now)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", c.file, err)
	}
	b = append(fmt.Appendf(nil, "%08x\n", crc32.Checksum(b, castagnoli)), b...)
	dir := filepath.Dir(c.file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("preparing the folder of %s: %w", c.file, err)
	}
	if err := durable.Replace(c.file, b, 0o600); err != nil {
		return fmt.Errorf("saving the last good configuration: %w", err)
	}
	return nil
}
