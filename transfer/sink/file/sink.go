// Package file is the sink that appends lines to files: exactly once per host. Whole lines, fsync, a sidecar
// with the next offset and each file's length, then the commit; after a kill the files are cut to the sidecar.
package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

const (
	fileMode   = 0o640
	folderMode = 0o750
	// storeName holds the id of an out root. Commits carry it, so that a partition that went to another host or
	// another folder and came back is told from one that never left.
	storeName = ".loghaul-store"
)

// errLocked says that someone else writes the files of a partition just now.
var errLocked = errors.New("its files are being written by another process or an older run of this sink")

// Config is where and as whom the sink writes.
type Config struct {
	// Name is the sink's name; sidecars carry it. Required.
	Name string
	// Root is the folder that everything lies below; made if it is not there. Required.
	Root string
	// Host is the first part of the owner that commits name.
	Host string
	// Settings are the sink's own fields.
	Settings Settings
	// MaxOpen bounds the open output files over all partitions. Default 256.
	MaxOpen int
	// Writers bounds the write buffers, 1 MiB each, that are in use at once. Default 4.
	Writers int
	// Logger gets what happens. Default: nowhere.
	Logger *slog.Logger

	// step is called between the steps of a Write; an error from it ends the Write as a kill would. For tests.
	step func(name string) error
	// now is the clock. Default time.Now.
	now func() time.Time
}

// Sink appends records to files. It is safe for concurrent use.
type Sink struct {
	cfg     Config
	root    *os.Root
	folder  *os.File // the root folder, for syncing its names
	store   string
	buffers chan []byte
	open    atomic.Int64 // output files

	mu struct {
		sync.Mutex
		books map[string]*book // by sidecar name
	}
}

// Open makes the out root if it is not there and reads its id.
func Open(cfg Config) (*Sink, error) {
	if cfg.MaxOpen == 0 {
		cfg.MaxOpen = 256
	}
	if cfg.Writers == 0 {
		cfg.Writers = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.now == nil {
		cfg.now = time.Now
	}
	if cfg.step == nil {
		cfg.step = func(string) error { return nil }
	}
	if err := os.MkdirAll(cfg.Root, folderMode); err != nil {
		return nil, fmt.Errorf("making the out root: %w", err)
	}
	root, err := os.OpenRoot(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("opening the out root: %w", err)
	}
	s := &Sink{cfg: cfg, root: root, buffers: make(chan []byte, cfg.Writers)}
	s.mu.books = map[string]*book{}
	for range cfg.Writers {
		s.buffers <- nil // made when first used
	}
	if s.folder, err = root.Open("."); err == nil {
		s.store, err = storeID(root, s.folder)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the out root %s: %w", cfg.Root, err), s.Close())
	}
	return s, nil
}

// storeID reads the out root's id, or makes one.
func storeID(root *os.Root, folder *os.File) (string, error) {
	for {
		b, err := root.ReadFile(storeName)
		if err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return strings.TrimSpace(string(b)), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		var id [6]byte
		rand.Read(id[:])
		temp := fmt.Sprintf("%s.%d.new", storeName, os.Getpid())
		if err := root.WriteFile(temp, []byte(hex.EncodeToString(id[:])+"\n"), fileMode); err != nil {
			return "", err
		}
		if err := root.Rename(temp, storeName); err != nil {
			return "", err
		}
		// An id that a power cut took would make this store a stranger to its own commits.
		if err := syncFolder(folder); err != nil {
			return "", err
		}
	}
}

// Owner names the host and the out root: whose files hold what this owner commits.
func (s *Sink) Owner() string { return s.cfg.Host + "/" + s.store }

// Guarantee is what the sink reaches.
func (s *Sink) Guarantee() sink.Guarantee { return sink.ExactlyOnce }

// Needs are keys where the path has the host in it, and everything for JSON.
func (s *Sink) Needs() sink.Needs {
	set := &s.cfg.Settings
	return sink.Needs{Key: set.json || set.path.has("host"), Headers: set.json}
}

// Assign opens the partition's sidecar, cuts its files to what it says and returns the offset to go on from.
func (s *Sink) Assign(ctx context.Context, a sink.Assignment) (record.Offset, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.bookName(a.Topic, a.Partition)
	b := s.mu.books[name]
	if b == nil {
		var err error
		if b, err = openBook(s, name); err != nil {
			return 0, fmt.Errorf("taking over %s/%d: %w", a.Topic, a.Partition, err)
		}
		s.mu.books[name] = b
	}
	from, err := b.assign(a)
	if err != nil {
		if b.idleHands() {
			delete(s.mu.books, name)
			b.close()
		}
		return 0, fmt.Errorf("taking over %s/%d: %w", a.Topic, a.Partition, err)
	}
	return from, nil
}

// Write appends the batch's lines, fsyncs them and replaces the sidecar.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	book := s.book(b.Topic, b.Partition)
	if book == nil {
		return fmt.Errorf("writing %s/%d: %w", b.Topic, b.Partition, errNotAssigned)
	}
	return explain(book.write(b))
}

// explain marks what does not pass by itself: somebody has to make room, or to give a permission. The route tries again
// now and then all the same.
func explain(err error) error {
	switch {
	case err == nil || errors.Is(err, errNotAssigned) || errors.Is(err, errKilled):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return sink.Stop(fmt.Errorf("%w: make room, it goes on by itself", err))
	}
	return sink.Stop(err)
}

// Idle rolls files that are old enough.
func (s *Sink) Idle(ctx context.Context, topic string, partition int32, now time.Time) error {
	if book := s.book(topic, partition); book != nil {
		return book.idle(now)
	}
	return nil
}

// Revoke closes the partition's files. Compressed ones appear now, for nobody may ever come back to them.
func (s *Sink) Revoke(ctx context.Context, topic string, partition int32) error {
	s.mu.Lock()
	name := s.bookName(topic, partition)
	b := s.mu.books[name]
	last := b != nil && b.release(key(topic, partition)) == 0
	if last {
		delete(s.mu.books, name)
	}
	s.mu.Unlock()
	if !last {
		return nil
	}
	return errors.Join(b.finish(), b.close())
}

// Close lets go of all files and locks.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, b := range s.mu.books {
		errs = append(errs, b.close())
	}
	clear(s.mu.books)
	if s.folder != nil {
		errs = append(errs, s.folder.Close())
	}
	return errors.Join(append(errs, s.root.Close())...)
}

func (s *Sink) book(topic string, partition int32) *book {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.books[s.bookName(topic, partition)]
}

// bookName is the sidecar of a partition: its own where no other partition writes to its files, else one for the
// whole sink, and with it one writer.
func (s *Sink) bookName(topic string, partition int32) string {
	t := s.cfg.Settings.path
	if t.has("partition") && (t.has("topic") || s.cfg.Settings.single) {
		return "." + shorten(s.cfg.Name+"+"+topic+"+"+strconv.Itoa(int(partition)))
	}
	return "." + s.cfg.Name
}

// keep is how many files a sidecar remembers that no line came to lately. One that only appears when it rolls must not
// be forgotten.
func (s *Sink) keep() int {
	if s.cfg.Settings.compression != "none" {
		return math.MaxInt
	}
	return s.cfg.MaxOpen
}

// Path is the folder that the sink writes below.
func (s *Sink) Path() string { return filepath.Clean(s.cfg.Root) }

// key names a partition in the sidecar.
func key(topic string, partition int32) string { return topic + "/" + strconv.Itoa(int(partition)) }
