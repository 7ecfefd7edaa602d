package etcdconf

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/text/encoding/htmlindex"
)

// checker gathers complaints and finds the line of the field each is about.
type checker struct {
	lines map[string]int
	found []Complaint
}

func (c *checker) need(ok bool, field, format string, args ...any) {
	if !ok {
		c.found = append(c.found, Complaint{Line: c.line(field), Field: field, Text: fmt.Sprintf(format, args...)})
	}
}

// line is that of the field, or of what holds it when the field itself was left out.
func (c *checker) line(field string) int {
	for field != "" {
		if n, ok := c.lines[field]; ok {
			return n
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return 0
}

func (c *checker) name(name string) {
	if err := CheckName(name); err != nil {
		c.found = append(c.found, Complaint{Text: err.Error()})
	}
}

func (c *checker) oneOf(field, got string, allowed ...string) {
	c.need(slices.Contains(allowed, got), field, "(%q) must be one of %s", got, strings.Join(allowed, ", "))
}

func (c *checker) between(field string, got, low, high int64) {
	if high == math.MaxInt64 {
		c.need(got >= low, field, "(%d) must be %d or more", got, low)
		return
	}
	c.need(got >= low && got <= high, field, "(%d) must be from %d to %d", got, low, high)
}

func (c *checker) span(field string, got Duration, low, high time.Duration) {
	c.need(got.Std() >= low && got.Std() <= high, field, "(%s) must be from %s to %s", got, low, high)
}

func (c *checker) regexp(field, expr string) {
	_, err := regexp.Compile(expr)
	c.need(err == nil, field, "must be a regular expression (RE2): %v", err)
}

func (c *checker) regexps(field string, exprs []string) {
	for n, expr := range exprs {
		one := fmt.Sprintf("%s[%d]", field, n)
		c.need(expr != "", one, "must not be empty: it would match every line")
		c.regexp(one, expr)
	}
}

var topicShape = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// topic refuses what Kafka would refuse, and the topics a broker keeps its own books in.
func (c *checker) topic(field, name string) {
	switch {
	case name == "":
		c.need(false, field, `must name a topic, such as "web_log"`)
	case strings.ContainsAny(name, `/\`):
		c.need(false, field, "(%q) must not hold a slash: write %q", name, strings.Trim(strings.NewReplacer("/", ".", `\`, ".").Replace(name), "."))
	case name == "." || name == ".." || !topicShape.MatchString(name):
		c.need(false, field, "(%q) must be 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen", name)
	case name == "__consumer_offsets" || name == "__transaction_state":
		c.need(false, field, "(%q) is the broker's own: choose another", name)
	}
}

// pathPattern wants an absolute pattern with slashes, on Windows too, so that a value can be checked anywhere.
func (c *checker) pathPattern(field, p string) {
	absolute := strings.HasPrefix(p, "/") || len(p) > 2 && p[1] == ':' && p[2] == '/'
	switch {
	case len(p) > 2 && p[1] == ':' && p[2] == '\\':
		c.need(false, field, "(%q) must be written with slashes: %q", p, strings.ReplaceAll(p, `\`, "/"))
	case !absolute:
		c.need(false, field, `(%q) must be absolute, such as "/var/log/%s"`, p, path.Base("/"+p))
	case slices.Contains(strings.Split(p, "/"), ".."):
		c.need(false, field, "(%q) must not hold ..: write where it leads to", p)
	case strings.ContainsRune(p, 0) || len(p) > 4096:
		c.need(false, field, "must have at most 4096 bytes and no NUL")
	default:
		c.need(doublestar.ValidatePattern(p), field, "(%q) must be a pattern: is a [, { or \\ left open?", p)
	}
}

func (c *checker) encoding(field, name string) {
	e, err := htmlindex.Get(name)
	if err == nil {
		canonical, _ := htmlindex.Name(e)
		if canonical != "replacement" && canonical != "x-user-defined" {
			return
		}
	}
	c.need(false, field, "(%q) must be a name of the WHATWG list, such as utf-8, gbk, gb18030, utf-16le, shift_jis", name)
}

func matchesAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if ok, _ := doublestar.Match(p, s); ok {
			return true
		}
	}
	return false
}
