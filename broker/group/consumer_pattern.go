package group

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"
)

const (
	// maxPattern is the longest regular expression, in bytes.
	maxPattern = 2048
	// maxPatternWeight is what the largest may hold in memory, in bytes: what maxPattern letters do. Repetitions can ask
	// for much more in few letters, and each topic is held against all of it.
	maxPatternWeight = maxPattern * stepWeight
	// stepWeight is what one step of a regular expression holds in memory, roughly, in bytes.
	stepWeight = 64
	// matchTime is how long one look may hold regular expressions against topics, with the group's lock held. Most take
	// 20 ms for 20,000 topics, the worst half a minute: what is left goes on at the next look.
	matchTime = 500 * time.Millisecond
)

// pattern is a regular expression that members subscribe with, and what it finds.
type pattern struct {
	re       *regexp.Regexp
	weight   int64 // of re, in bytes
	bytes    int64 // counted in usage
	stored   bool  // the log may have a record of it
	topics   map[string]bool
	resolved time.Time
	among    uint64                  // hash of the topics that it was then held against
	heard    bool                    // a member has spoken of it since the start, and may is its word
	may      func(topic string) bool // of the last member that spoke of it; nil: all
	search   *search                 // under way; nil: none
}

// search is a pattern's way through the topics.
type search struct {
	names []string
	among uint64
	next  int
	found []string
}

// checkPattern says whether a member may subscribe with it.
func checkPattern(p *string) error {
	if p == nil || *p == "" {
		return nil
	}
	_, err := newPattern(*p)
	return err
}

func newPattern(text string) (*pattern, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("%w: it is longer than %d bytes.", ErrPattern, maxPattern)
	}
	whole := `^(?:` + text + `)$`
	parsed, err := syntax.Parse(whole, syntax.Perl)
	if err != nil {
		var why *syntax.Error
		if errors.As(err, &why) { // without the expression, which is not quite the client's
			err = errors.New(why.Code.String())
		}
		return nil, fmt.Errorf("%w: SubscribedTopicRegex `%s` is not a valid regular expression: %w.", ErrPattern, text, err)
	}
	weight := weigh(parsed)
	if weight > maxPatternWeight {
		return nil, fmt.Errorf("%w: SubscribedTopicRegex `%s` has too many steps.", ErrPattern, text)
	}
	re, err := regexp.Compile(whole)
	if err != nil {
		return nil, fmt.Errorf("%w: SubscribedTopicRegex `%s` is not a valid regular expression: %w.", ErrPattern, text, err)
	}
	return &pattern{re: re, weight: weight, topics: map[string]bool{}}, nil
}

// weigh says what a regular expression will hold in memory once its repetitions are written out, roughly, in bytes.
func weigh(re *syntax.Regexp) int64 {
	n := int64(stepWeight + 4*len(re.Rune))
	if re.Op == syntax.OpLiteral {
		n = int64(stepWeight * len(re.Rune))
	}
	for _, sub := range re.Sub {
		n += weigh(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= int64(max(re.Min+1, re.Max)) // at most 1000, also of all repetitions in one another
	}
	return n
}

// take sets what the pattern finds.
func (p *pattern) take(topics []string) {
	p.topics = make(map[string]bool, len(topics))
	for _, t := range topics {
		p.topics[t] = true
	}
}

func (p *pattern) sorted() []string { return slices.Sorted(maps.Keys(p.topics)) }

// due says whether the pattern is to be held against the topics, or has not come through them yet.
func (p *pattern) due(among uint64, now time.Time, refresh time.Duration) bool {
	return p.heard && (p.search != nil || p.resolved.IsZero() || p.among != among || now.Sub(p.resolved) >= refresh)
}

// match goes on with the search until its end, which is done, or that time; changed says that it found others than the
// last one.
func (p *pattern) match(until time.Time) (done, changed bool) {
	s := p.search
	for ; s.next < len(s.names); s.next++ {
		if s.next%16 == 0 && time.Now().After(until) {
			return false, false
		}
		if name := s.names[s.next]; p.re.MatchString(name) && (p.may == nil || p.may(name)) {
			s.found = append(s.found, name)
		}
	}
	slices.Sort(s.found)
	if changed = p.resolved.IsZero() || !slices.Equal(s.found, p.sorted()); changed {
		p.take(s.found)
	}
	p.resolved, p.among, p.search = time.Now(), s.among, nil
	return true, changed
}

// hearPattern notes that a member subscribes with a regular expression, and which topics it may see.
func (g *group) hearPattern(text string, may func(string) bool) {
	if text == "" {
		return
	}
	p := g.roster.patterns[text]
	if p == nil {
		var err error
		if p, err = newPattern(text); err != nil {
			return // checked before, unless another version of this broker did: it finds nothing
		}
		g.roster.patterns[text] = p
	}
	p.may, p.heard = may, true
	g.measurePattern(text, p)
}

// matchPatterns holds regular expressions against all topics: when these have changed, and now and then
// because what members may see can change. What was found before a restart stands until a member speaks. One
// group does so at a time, so that no number of groups can take all processors.
func (g *group) matchPatterns(now time.Time, ch *change) {
	if !g.c.matching.TryLock() {
		g.roster.look = now.Add(lookEvery)
		return
	}
	defer g.c.matching.Unlock()
	names := g.c.cfg.Topics.Names()
	among := uint64(len(names))
	for _, name := range names { // in any order
		among += maphash.String(namesSeed, name)
	}
	for text, p := range g.roster.patterns {
		if !p.due(among, now, g.c.cfg.PatternRefresh) {
			continue
		}
		if p.search == nil {
			p.search = &search{names: names, among: among}
		}
		if _, changed := p.match(now.Add(matchTime)); changed {
			ch.matched(text)
		}
		g.measurePattern(text, p)
	}
}

var namesSeed = maphash.MakeSeed()

// dropPatterns forgets the regular expressions that nobody subscribes with any more.
func (g *group) dropPatterns(ch *change) {
	if len(g.roster.patterns) == 0 {
		return
	}
	used := map[string]bool{}
	for _, m := range g.roster.consumers {
		used[m.pattern] = true
	}
	for text, p := range g.roster.patterns {
		if !used[text] {
			g.c.use.members.Add(-p.bytes)
			delete(g.roster.patterns, text)
			if p.stored {
				ch.dropped = append(ch.dropped, string(consumerKey(kindPattern, g.id, text)))
			}
		}
	}
}

// measurePattern books what a pattern holds now.
func (g *group) measurePattern(text string, p *pattern) {
	size := int64(256+2*len(text)+48*len(p.topics)) + p.weight
	if p.search != nil {
		size += int64(16 * (len(p.search.names) + len(p.search.found)))
	}
	g.c.use.members.Add(size - p.bytes)
	p.bytes = size
}

// room is what one more regular expression may take, if m comes with one that the group does not have.
func (g *group) room(m *consumer) int64 {
	if m.pattern == "" || g.roster.patterns[m.pattern] != nil {
		return 0
	}
	return maxPatternWeight
}
