package file

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/transfer/sink"
)

// A disk that is full, or fails, at any step: nothing of the batch counts, and it goes through when there is room.
func TestAFullDiskLosesNothing(t *testing.T) {
	for _, step := range []string{"rolling", "packed", "rolled", "opened", "append", "appended", "temp", "renamed"} {
		t.Run(step, func(t *testing.T) {
			f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","roll":{"bytes":500,"age":"0s"}}`)
			f.fail = syscall.ENOSPC
			s := f.Open(t)
			assign(t, s, 0, sink.NoOffset)
			next := record.Offset(0)
			for range 5 {
				b := sink.Batch{Topic: "web_log", First: next, Next: next + 30}
				for o := b.First; o < b.Next; o++ {
					b.Records = append(b.Records, sink.Record{Offset: o, Value: []byte("web_log/0/" + string(rune('a'+o%26)))})
				}
				f.Arm(step)
				err := s.Write(t.Context(), b)
				if f.armed == "" && (!errors.Is(err, syscall.ENOSPC) || !sink.Stops(err) || !strings.Contains(err.Error(), "make room")) {
					t.Fatalf("writing to a full disk: got %v, want ENOSPC as a state with its mend", err)
				}
				f.Arm("")
				if err := s.Write(t.Context(), b); err != nil {
					t.Fatalf("writing again with room: %v", err)
				}
				next = b.Next
			}
			if n := len(f.Lines(t)); n != int(next) {
				t.Fatalf("stored %d lines, want %d, each once", n, next)
			}
		})
	}
}

func TestPathsThatLeaveTheOutRootAreRefused(t *testing.T) {
	for path, mend := range map[string]string{
		"../x.log":              "..",
		"a/../../x.log":         "..",
		"/etc/passwd":           "--out-root",
		"/outside/{topic}.log":  "--out-root",
		"{topic}/":              "names no file",
		".hidden/x.log":         "dot",
		"{topic}/{user}.log":    "{user}",
		"{topic/{partition.log": "{topic/{partition.log",
		"a}b":                   "unpaired",
		"":                      "names no file",
	} {
		if _, err := parseTemplate(path, "/out"); err == nil || !strings.Contains(err.Error(), mend) {
			t.Errorf("path %q: got %v, want a refusal with %q", path, err, mend)
		}
	}
	if _, err := parseTemplate("../x.log", ""); err == nil || !strings.HasSuffix(err.Error(), "below the --out-root") {
		t.Errorf("a path that leaves a root not known yet: got %v", err)
	}
	if p, err := parseTemplate("/out/{topic}/x.log", "/out"); err != nil || p.render("web_log", 0, 0, "") != "web_log/x.log" {
		t.Errorf("an absolute path below the out root: got %v", err)
	}
}

func TestASymlinkDoesNotLeadOutOfTheOutRoot(t *testing.T) {
	f := newFolder(t, plain)
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(f.root, "web_log")); err != nil {
		t.Skip("no symlinks here")
	}
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	if err := s.Write(t.Context(), sink.Batch{Topic: "web_log", Next: 1, Records: []sink.Record{{Value: []byte("a")}}}); err == nil {
		t.Error("a line was written through a symlink out of the out root")
	}
	if left, _ := os.ReadDir(elsewhere); len(left) != 0 {
		t.Errorf("found %v outside the out root", left)
	}
}

func TestValuesInPathsAreEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"web-1": "web-1", "": "_", "../../etc": "%2E.%2F..%2Fetc", "a/b": "a%2Fb", ".x": "%2Ex", "ü": "%C3%BC", "a\x00b": "a%00b", "a b": "a%20b",
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
	if long := escape(strings.Repeat("x", 1000)); len(long) > maxName {
		t.Errorf("a value of 1000 bytes became a name of %d", len(long))
	}
}

func FuzzEscapeStaysOneName(f *testing.F) {
	for _, s := range []string{"a", "..", "/", "%2F", "\x00", "CON", strings.Repeat("é", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if e == "" || strings.HasPrefix(e, ".") || strings.ContainsAny(e, "/\\\x00") || len(e) > maxName || !filepath.IsLocal(e) {
			t.Errorf("escape(%q) = %q is no safe name", s, e)
		}
	})
}

func TestFilesArePrivate(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 1)
	for name, want := range map[string]os.FileMode{"web_log": 0o750, "web_log/0.log": 0o640, ".out+web_log+0": 0o640} {
		st, err := os.Stat(filepath.Join(f.root, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got&^want != 0 {
			t.Errorf("%s has mode %o, want at most %o", name, got, want)
		}
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{host}.log"}`)
	s := f.Open(t).(*Sink)
	assign(t, s, 0, sink.NoOffset)
	b := sink.Batch{Topic: "web_log", Next: 100}
	for o := range record.Offset(100) {
		b.Records = append(b.Records, sink.Record{Offset: o, Key: []byte("host-" + string(rune('a'+o%26)) + ":/x"), Value: []byte("x")})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n := s.open.Load(); n > int64(s.cfg.MaxOpen) {
		t.Errorf("%d files are open, want at most %d", n, s.cfg.MaxOpen)
	}
	if n := len(f.files(t)); n != 26 {
		t.Errorf("%d files, want one for each of 26 hosts", n)
	}
}

func TestRolledFilesCarryTheirStartOffset(t *testing.T) {
	f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","roll":{"bytes":0,"age":"1h"}}`)
	s := f.Open(t).(*Sink)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	f.now = f.now.Add(2 * time.Hour)
	if err := s.Idle(t.Context(), "web_log", 0, f.now); err != nil {
		t.Fatalf("rolling by age: %v", err)
	}
	write(t, s, 10, 20)
	f.now = f.now.Add(2 * time.Hour)
	write(t, s, 20, 30) // rolls without waiting for a quiet moment
	want := []string{"web_log/0-0.log", "web_log/0-10.log", "web_log/0.log"}
	if got := f.files(t); !slices.Equal(got, want) {
		t.Fatalf("files %q, want %q", got, want)
	}
	wantLines(t, f, [2]record.Offset{0, 30})
}

func TestCompressedFilesAppearWhenTheyRollAndWhenThePartitionGoes(t *testing.T) {
	f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}/{partition}.log","compression":"zstd","roll":{"bytes":0,"age":"1h"}}`)
	s := f.Open(t).(*Sink)
	assign(t, s, 0, sink.NoOffset)
	write(t, s, 0, 10)
	if got := f.files(t); len(got) != 0 {
		t.Fatalf("files %q before anything rolled, want none", got)
	}
	if err := s.Revoke(t.Context(), "web_log", 0); err != nil {
		t.Fatalf("revoking: %v", err)
	}
	if got, want := f.files(t), []string{"web_log/0-0.log.zst"}; !slices.Equal(got, want) {
		t.Fatalf("files %q, want %q", got, want)
	}
	wantLines(t, f, [2]record.Offset{0, 10})
}

func TestEachRecordAsOneJSONObject(t *testing.T) {
	f := newFolder(t, `{"type":"file","topics":["web_log"],"path":"{topic}.jsonl","as":"json"}`)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	b := sink.Batch{Topic: "web_log", Next: 2, Records: []sink.Record{
		{Offset: 0, Time: 1_700_000_000_123, Key: []byte("web-1:/a"), Value: []byte("say \"hi\"\t\xff"),
			Headers: []record.KV{{Key: []byte("pos"), Value: []byte("1:2+3")}, {Key: []byte("none")}}},
		{Offset: 1, Time: 0},
	}}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"topic":"web_log","partition":0,"offset":0,"time":"2023-11-14T22:13:20.123Z","key":"web-1:/a","headers":{"pos":"1:2+3","none":null},"line":"say \"hi\"\t` + "\ufffd" + `"}`,
		`{"topic":"web_log","partition":0,"offset":1,"time":"1970-01-01T00:00:00.000Z","key":null,"headers":{},"line":null}`,
	}
	got := strings.Split(strings.TrimSpace(read(t, filepath.Join(f.root, "web_log.jsonl"))), "\n")
	for i, line := range got {
		got[i] = strings.ReplaceAll(line, `\ufffd`, "\ufffd")
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestADamagedSidecarStopsThePartitionAndNamesTheMend(t *testing.T) {
	f := newFolder(t, plain)
	s := f.Open(t)
	assign(t, s, 0, sink.NoOffset)
	f.Kill(t, s)
	if err := os.WriteFile(filepath.Join(f.root, ".out+web_log+0"), []byte(`{"version":1,`), 0o640); err != nil {
		t.Fatal(err)
	}
	s = f.Open(t)
	if _, err := s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Left: sink.NoOffset}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Fatalf("got %v, want an error that names the mend", err)
	}
}

func TestFieldsOfAFileSinkAreChecked(t *testing.T) {
	for value, want := range map[string]string{
		`{"type":"file","topics":["a"],"compression":"lz4"}`:         "compression",
		`{"type":"file","topics":["a"],"as":"xml"}`:                  "as",
		`{"type":"file","topics":["a"],"pathh":"x"}`:                 "pathh",
		`{"type":"file","topics":["a"],"path":"/etc/x"}`:             "--out-root",
		`{"type":"file","topics":["a"],"roll":{"bytes":-1}}`:         "roll",
		`{"type":"file","topics":["a"],"roll":{"bytes":"1 potato"}}`: "roll",
	} {
		v, err := etcdconf.ParseSink(etcdconf.Value{Name: "out", Key: "/loghaul/v1/sinks/out", Data: []byte(value)})
		if err == nil {
			_, err = Parse(v, "/out")
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "/loghaul/v1/sinks/out") {
			t.Errorf("%s: got %v, want an error that names the key and %q", value, err, want)
		}
	}
}
