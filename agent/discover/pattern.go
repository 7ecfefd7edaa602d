package discover

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// pattern is a compiled pattern, with slashes on every system.
type pattern struct {
	text   string
	base   string   // the folder before the first wildcard
	parts  []string // what is below base, one for each folder and the last for the file
	deep   int      // from this part on anything below may match
	static bool     // no wildcard: it names one file
	last   bool     // it is about the last name of a path only
}

// compile checks text and takes it apart. exclude: it need not be absolute.
func compile(text string, exclude bool) (pattern, error) {
	p := pattern{text: text}
	switch {
	case text == "":
		return p, quote(errors.New("empty"), text)
	case !doublestar.ValidatePattern(filepath.ToSlash(text)):
		return p, quote(errors.New("malformed: a [, { or \\ is without its end"), text)
	}
	slashed := filepath.ToSlash(text)
	if exclude {
		p.last = !strings.Contains(slashed, "/")
		p.text = slashed
		return p, nil
	}
	base, rest := doublestar.SplitPattern(slashed)
	if !filepath.IsAbs(filepath.FromSlash(base)) {
		return p, quote(errors.New("not absolute: it must begin with the whole path of a folder"), text)
	}
	if rest == "" || rest == "." || strings.HasSuffix(slashed, "/") {
		return p, quote(errors.New("names a folder: end it with a file or a wildcard"), text)
	}
	p.base = path.Clean(base)
	p.parts = split(rest)
	p.text = path.Join(p.base, "x")
	p.text = p.text[:len(p.text)-1] + rest
	p.deep = len(p.parts)
	for i, part := range p.parts {
		if strings.Contains(part, "**") || strings.Contains(part, "/") {
			p.deep = i
			break
		}
	}
	p.static = len(p.parts) == 1 && !strings.ContainsAny(rest, `*?[]{}\`)
	return p, nil
}

// split cuts a pattern at its slashes, but not at those inside braces.
func split(rest string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth <= 0 {
				parts = append(parts, rest[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, rest[from:])
}

// matches says whether the pattern is about the file called name.
func (p pattern) matches(name string) bool {
	if p.last {
		return doublestar.MatchUnvalidated(p.text, path.Base(name))
	}
	return doublestar.MatchUnvalidated(p.text, name)
}

// reaches says whether files below the folder called dir can match.
func (p pattern) reaches(dir string) bool {
	if p.static {
		return false
	}
	rel, ok := below(dir, p.base)
	if !ok {
		return false
	}
	if rel == "" {
		return true
	}
	for i, name := range strings.Split(rel, "/") {
		if i >= p.deep {
			return true
		}
		if i >= len(p.parts)-1 || !doublestar.MatchUnvalidated(p.parts[i], name) {
			return false
		}
	}
	return true
}

// below says whether name is folder or lies below it, and how it goes on.
func below(name, folder string) (rel string, ok bool) {
	if name == folder {
		return "", true
	}
	if !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	return strings.CutPrefix(name, folder)
}
