package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/transfer/sink"
)

// template is a path below the out root with {topic}, {partition}, {date} and {host} in it. It is kept as
// alternating text and names: text, name, text, name, text.
type template struct {
	parts []string
}

var placeholders = map[string]bool{"topic": true, "partition": true, "date": true, "host": true}

// parseTemplate checks a path template. What it makes lies below root whatever the records say.
func parseTemplate(text, root string) (template, error) {
	rel, err := below(text, root)
	if err != nil {
		return template{}, err
	}
	for _, part := range strings.Split(rel, "/") {
		if strings.HasPrefix(part, ".") {
			return template{}, fmt.Errorf("%q has the part %q: names that begin with a dot are loghaul's own", text, part)
		}
	}
	var t template
	for rest := rel; ; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.parts = append(t.parts, rest)
			return t, nil
		}
		end := strings.IndexByte(rest, '}')
		if rest[open] == '}' || end < 0 {
			return template{}, fmt.Errorf("%q has an unpaired brace", text)
		}
		name := rest[open+1 : end]
		if !placeholders[name] {
			return template{}, fmt.Errorf("%q has {%s}: known are {topic}, {partition}, {date} and {host}", text, name)
		}
		t.parts = append(t.parts, rest[:open], name)
		rest = rest[end+1:]
	}
}

// below makes text relative to root, slashes forward. An empty root is not known yet: any absolute path may do.
func below(text, root string) (string, error) {
	p := filepath.ToSlash(text)
	if filepath.IsAbs(text) && root == "" {
		p = strings.TrimLeft(strings.TrimPrefix(p, filepath.ToSlash(filepath.VolumeName(text))), "/")
	} else if filepath.IsAbs(text) {
		rel, err := filepath.Rel(root, text)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return "", fmt.Errorf("%q lies outside %s: give a path below it, or start the transfer with another --out-root", text, root)
		}
		p = filepath.ToSlash(rel)
	}
	for _, part := range strings.Split(p, "/") {
		if part == ".." {
			return "", fmt.Errorf("%q has .. in it: give a path below the --out-root", text)
		}
	}
	if p == "" || p == "." || strings.HasSuffix(p, "/") {
		return "", fmt.Errorf("%q names no file", text)
	}
	return path.Clean(p), nil
}

// has says whether the template uses a placeholder.
func (t template) has(name string) bool {
	for i := 1; i < len(t.parts); i += 2 {
		if t.parts[i] == name {
			return true
		}
	}
	return false
}

// render makes the path for one topic, partition, day and host, relative to the out root.
func (t template) render(topic string, partition int32, day int64, host string) string {
	var b strings.Builder
	for i, part := range t.parts {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		switch part {
		case "topic":
			b.WriteString(escape(topic))
		case "partition":
			b.WriteString(strconv.Itoa(int(partition)))
		case "date":
			b.WriteString(time.Unix(day*86400, 0).UTC().Format(time.DateOnly))
		case "host":
			b.WriteString(escape(host))
		}
	}
	return b.String()
}

// maxName keeps an escaped value well under the 255 bytes that file systems allow a name.
const maxName = 180

// escape makes a value that came from outside safe as part of a file name: everything but letters, digits,
// '.', '_' and '-' becomes %XX, so does a dot at the start; empty becomes "_"; what is too long ends in a hash.
func escape(v string) string {
	if v == "" {
		return "_"
	}
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return shorten(b.String())
}

func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName-33] + "-" + hex.EncodeToString(sum[:16])
}

// dayOf is the UTC day of a record, counted from 1970.
func dayOf(ms int64) int64 {
	day := ms / 86_400_000
	if ms%86_400_000 < 0 {
		day--
	}
	return day
}

// hostOf is the host in a record's key, `<host>:<path>`; nothing when the key is of another kind.
func hostOf(r *sink.Record) []byte {
	if i := bytes.IndexByte(r.Key, ':'); i > 0 {
		return r.Key[:i]
	}
	return nil
}
