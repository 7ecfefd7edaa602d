package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/transfer/sink"
)

// Whatever a template and the values look like, the path lies below the out root and has no hidden part.
func FuzzPathsStayBelowTheOutRoot(f *testing.F) {
	f.Add("{topic}/{partition}/{date}.log", "web_log", "web-1")
	f.Add("/out/{host}", "..", "../..")
	f.Add("a/../b/{topic}{topic}", ".", "\x00/")
	f.Add("{host}", "x", strings.Repeat("é/", 500))
	f.Fuzz(func(t *testing.T, text, topic, host string) {
		tpl, err := parseTemplate(text, "/out")
		if err != nil || strings.ContainsRune(text, 0) {
			return
		}
		p := tpl.render(topic, 7, 20_000, host)
		if !filepath.IsLocal(p) {
			t.Fatalf("%q with %q and %q leads to %q", text, topic, host, p)
		}
		for _, part := range strings.Split(p, "/") {
			if strings.HasPrefix(part, ".") {
				t.Fatalf("%q with %q and %q has a hidden part: %q", text, topic, host, p)
			}
		}
	})
}

// Whatever a sidecar holds, taking a partition over ends, touches nothing outside the out root, and says so when it cannot.
func FuzzSidecar(f *testing.F) {
	f.Add([]byte(`{"version":1,"points":[{"next":{"web_log/0":3},"lengths":{"a.log":4}}],"files":[{"path":"a.log","base":0,"start":0,"opened":1}]}`))
	f.Add([]byte(`{"version":1,"points":[{}],"files":[null]}`))
	f.Add([]byte(`{"version":1,"files":[{"path":"../x","base":-5}],"rolling":[{"from":"../y","to":"../z"}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		outside := t.TempDir()
		root := filepath.Join(outside, "out")
		if err := os.Mkdir(root, 0o750); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{".out+web_log+0": b, "a.log": []byte("abcdefgh"), "../x": []byte("keep"), "../y": []byte("keep")} {
			if err := os.WriteFile(filepath.Join(root, name), content, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(Config{Name: "out", Root: root, Host: "web-1", Settings: Settings{
			path: template{parts: []string{"a.log"}}, compression: "none", single: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.cfg.Settings.path = template{parts: []string{"", "topic", "/", "partition", ""}}
		_, _ = s.Assign(t.Context(), sink.Assignment{Topic: "web_log", Left: sink.NoOffset})
		for _, name := range []string{"x", "y"} {
			if got, err := os.ReadFile(filepath.Join(outside, name)); err != nil || string(got) != "keep" {
				t.Fatalf("%s outside the out root became %q (%v)", name, got, err)
			}
		}
	})
}
