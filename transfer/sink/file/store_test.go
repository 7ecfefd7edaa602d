package file

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/sink/sinktest"
)

// folder is a Store: a folder that outlives the sinks writing to it.
type folder struct {
	root  string
	value string // the sink's value
	host  string
	armed string
	fail  error // what the armed step returns; default errKilled
	now   time.Time
}

func newFolder(t *testing.T, value string) *folder {
	t.Helper()
	return &folder{root: t.TempDir(), value: value, host: "web-1", now: time.Unix(1_700_000_000, 0)}
}

func settings(t *testing.T, value string) Settings {
	t.Helper()
	v, err := etcdconf.ParseSink(etcdconf.Value{Name: "out", Key: "/loghaul/v1/sinks/out", Data: []byte(value)})
	if err != nil {
		t.Fatalf("parsing %s: %v", value, err)
	}
	s, err := Parse(v, "/out")
	if err != nil {
		t.Fatalf("parsing %s: %v", value, err)
	}
	return s
}

func (f *folder) Open(t *testing.T) sink.Sink {
	t.Helper()
	s, err := Open(Config{
		Name: "out", Root: f.root, Host: f.host, Settings: settings(t, f.value), MaxOpen: 3, Writers: 2,
		now: func() time.Time { return f.now },
		step: func(name string) error {
			if f.armed == "" || name != f.armed {
				return nil
			}
			f.armed = ""
			if f.fail != nil {
				return f.fail
			}
			return errKilled
		},
	})
	if err != nil {
		t.Fatalf("opening the sink: %v", err)
	}
	t.Cleanup(func() { f.Kill(t, s) })
	return s
}

// Kill closes descriptors and locks, as the kernel does, and nothing else.
func (f *folder) Kill(_ *testing.T, s sink.Sink) {
	file := s.(*Sink)
	file.mu.Lock()
	defer file.mu.Unlock()
	for _, b := range file.mu.books {
		b.close()
	}
	clear(file.mu.books)
	file.folder.Close()
	file.root.Close()
}

func (f *folder) Guarantee() sink.Guarantee { return sink.ExactlyOnce }

func (f *folder) Steps() []string {
	return []string{"rolling", "packed", "rolled", "opened", "append", "appended", "temp", "renamed"}
}

func (f *folder) Arm(step string) { f.armed = step }

// files are the names of the output, in order.
func (f *folder) files(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		rel, err := filepath.Rel(f.root, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatalf("walking the output: %v", err)
	}
	return names
}

// Lines reads all files, those that rolled first, by their start offset. Hidden files that have yet to appear come
// last.
func (f *folder) Lines(t *testing.T) []string {
	t.Helper()
	type part struct {
		name string
		text string
	}
	var parts []part
	err := filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		hiddenOpen := strings.HasPrefix(d.Name(), ".") && strings.HasSuffix(d.Name(), ".open")
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") && !hiddenOpen {
			return err
		}
		parts = append(parts, part{path, read(t, path)})
		return nil
	})
	if err != nil {
		t.Fatalf("walking the output: %v", err)
	}
	first := func(p part) string { return p.text[:min(len(p.text), 60)] }
	slices.SortStableFunc(parts, func(a, b part) int { return strings.Compare(first(a), first(b)) })
	var lines []string
	for _, p := range parts {
		if p.text == "" {
			continue
		}
		if !strings.HasSuffix(p.text, "\n") {
			t.Errorf("%s ends inside a line", p.name)
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(p.text, "\n"), "\n")...)
	}
	return lines
}

func read(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r io.Reader = file
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(file)
	case ".zst":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(file); err == nil {
			defer d.Close()
			r = d
		}
	}
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	return string(b)
}

const plain = `{"type":"file","topics":["web_log","app.log"],"path":"{topic}/{partition}.log","roll":{"bytes":0,"age":"0s"}}`

func TestFileKeepsASinksPromises(t *testing.T) {
	values := map[string]string{
		"one file a partition":     plain,
		"a file a day and host":    `{"type":"file","topics":["web_log"],"path":"{host}/{topic}-{partition}-{date}.log"}`,
		"rolled by size":           `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","roll":{"bytes":2000,"age":"0s"}}`,
		"compressed with gzip":     `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","compression":"gzip","roll":{"bytes":2000,"age":"0s"}}`,
		"compressed with zstd":     `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","compression":"zstd","roll":{"bytes":2000,"age":"0s"}}`,
		"one file for everything":  `{"type":"file","topics":["web_log"],"path":"all.log","roll":{"bytes":0,"age":"0s"}}`,
		"partitions of any topics": `{"type":"file","topics":["~.*"],"path":"{partition}.log","roll":{"bytes":0,"age":"0s"}}`,
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Store { return newFolder(t, value) })
		})
	}
}
