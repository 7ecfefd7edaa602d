package shape

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

func parseLine(line string) (key int, versions []shape, err error) {
	words := strings.Fields(strings.NewReplacer("[", "[ ", "]", " ]").Replace(line))
	if len(words) < 5 {
		return 0, nil, errors.New("want key, name, versions, flexible version and fields")
	}
	if key, err = strconv.Atoi(words[0]); err != nil {
		return 0, nil, err
	}
	first, last, err := versionRange(words[2])
	if err != nil {
		return 0, nil, err
	}
	flexible := math.MaxInt
	if words[3] != "-" {
		if flexible, err = strconv.Atoi(words[3]); err != nil {
			return 0, nil, err
		}
	}
	for v := range last + 1 {
		if v < first {
			versions = append(versions, nil)
			continue
		}
		p := parser{words: words[4:], version: v, flexible: v >= flexible}
		s, err := p.fields(shape{})
		if err == nil && len(p.words) > 0 {
			err = errors.New("a bracket too many")
		}
		if err != nil {
			return 0, nil, err
		}
		versions = append(versions, p.closed(s))
	}
	return key, versions, nil
}

// versionRange reads 0-3, or 4 for all from there on.
func versionRange(s string) (first, last int, err error) {
	from, to, bounded := strings.Cut(s, "-")
	if first, err = strconv.Atoi(from); err != nil || !bounded {
		return first, math.MaxInt, err
	}
	last, err = strconv.Atoi(to)
	return first, last, err
}

// parser makes the shape of one version.
type parser struct {
	words    []string
	version  int
	flexible bool
}

// closed ends a struct.
func (p *parser) closed(s shape) shape {
	if p.flexible {
		return append(s, step{kind: tags, name: "tags"})
	}
	return s
}

// fields reads fields up to a closing bracket or the end of the line.
func (p *parser) fields(s shape) (shape, error) {
	for len(p.words) > 0 && p.words[0][0] != ']' {
		next, there, err := p.field()
		if err != nil {
			return nil, err
		}
		switch last := len(s) - 1; {
		case !there:
		case next.kind == fixed && last >= 0 && s[last].kind == fixed:
			s[last].size += next.size
		default:
			s = append(s, next)
		}
	}
	return s, nil
}

// field reads one, and says whether it stands in this version.
func (p *parser) field() (next step, there bool, err error) {
	name, what, _ := strings.Cut(p.words[0], ":")
	what, versions, limited := strings.Cut(what, "@")
	p.words = p.words[1:]
	if what == "[" {
		var after string
		if next, after, err = p.array(); err != nil {
			return next, false, err
		}
		versions, limited = strings.CutPrefix(after, "@")
	} else if next, err = p.simple(what); err != nil {
		return next, false, fmt.Errorf("field %s: %w", name, err)
	}
	if next.name = name; next.kind == packed || next.kind == array && next.inner[0].name == "" {
		next.inner[0].name = name
	}
	if !limited {
		return next, true, nil
	}
	first, last, err := versionRange(versions)
	return next, first <= p.version && p.version <= last, err
}

// simple is a field that is no array.
func (p *parser) simple(what string) (step, error) {
	if size, ok := scalars[what]; ok {
		return step{kind: fixed, size: size}, nil
	}
	if what == "tags" {
		if !p.flexible {
			return step{kind: fixed}, nil
		}
		return step{kind: tags}, nil
	}
	s, ok := runs[what]
	if !ok {
		return s, fmt.Errorf("there is no type %q", what)
	}
	if p.flexible {
		s.prefix = 0
	}
	return s, nil
}

// array reads elements up to the closing bracket and returns what is written right behind that.
func (p *parser) array() (next step, after string, err error) {
	next = step{kind: array, prefix: 4, lowest: anyNull}
	if p.flexible {
		next.prefix = 0
	}
	if len(p.words) > 0 && !strings.Contains(p.words[0], ":") {
		var s step
		s, err = p.simple(p.words[0])
		next.inner, p.words = shape{s}, p.words[1:]
	} else if next.inner, err = p.fields(shape{}); err == nil {
		next.inner = p.closed(next.inner)
	}
	if err != nil {
		return next, "", err
	}
	if len(p.words) == 0 || !strings.HasPrefix(p.words[0], "]") {
		return next, "", errors.New("a bracket is not closed")
	}
	after, p.words = p.words[0][1:], p.words[1:]
	next.size = next.inner.least()
	if len(next.inner) == 1 && next.inner[0].kind == fixed {
		next.kind = packed
	}
	if next.size == 0 {
		return next, "", errors.New("an array of nothing")
	}
	return next, after, nil
}
