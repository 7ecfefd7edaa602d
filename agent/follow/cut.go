package follow

import "bytes"

// cutter decides how far a piece of source is cut. It looks at bytes and at the
// lineState of their place, at nothing else.
type cutter struct {
	max  int    // longest line in bytes without its ending
	long string // Split, Truncate or Skip
}

// lineState says where in a line a place in the source is.
type lineState struct {
	part    int  // number of the piece that begins here; 0 at the start of a line
	discard bool // the rest of the line is dropped
}

// piece is what the cutter makes of the bytes at a place: the first skip are
// dropped, the next n are handed on. n == 0: no whole line is there yet.
type piece struct {
	skip int
	n    int
	part int
	last bool
}

// next cuts data, which begins at the place that st describes, and moves st to
// the place after the piece. end: nothing comes after data, so a fragment is a line.
func (c cutter) next(st *lineState, data []byte, end bool) piece {
	var p piece
	for {
		if st.discard {
			i := bytes.IndexByte(data[p.skip:], '\n')
			if i < 0 {
				p.skip = len(data)
				return p
			}
			p.skip += i + 1
			st.discard = false
		}
		rest := data[p.skip:]
		if st.part > 0 {
			c.piece(st, &p, rest, end)
			return p
		}
		n, long := c.whole(rest, end)
		switch {
		case n > 0:
			p.n = n
			return p
		case !long:
			if end {
				p.n = len(rest)
			}
			return p
		}
		if c.long == Skip {
			st.discard = true
			continue
		}
		if c.long == Truncate {
			p.n, p.part, p.last = c.max, 1, true
			st.discard = true
			return p
		}
		p.n, p.part = c.max, 1
		st.part = 2
		return p
	}
}

// resume is the state offset bytes after the start of a line.
func (c cutter) resume(offset int64) lineState {
	switch {
	case offset < int64(c.max):
		return lineState{}
	case c.long == Split:
		return lineState{part: int(offset/int64(c.max)) + 1}
	}
	return lineState{discard: true}
}

// piece cuts the next piece of a line that has been split.
func (c cutter) piece(st *lineState, p *piece, rest []byte, end bool) {
	n, known := c.ending(rest, end)
	switch {
	case n > 0:
		p.n, p.part, p.last = n, st.part, true
		st.part = 0
	case known:
		p.n, p.part = c.max, st.part
		st.part++
	case end && len(rest) > 0:
		p.n, p.part, p.last = len(rest), st.part, true
		st.part = 0
	}
}

// ending looks for the end of a line that begins at b and is not over-long: n
// counts its bytes with the ending. Without one, known says that it is over-long.
func (c cutter) ending(b []byte, end bool) (n int, known bool) {
	if i := bytes.IndexByte(b[:min(len(b), c.max+1)], '\n'); i >= 0 {
		return i + 1, true
	}
	return c.carriage(b, end)
}

// carriage decides about b, whose first max+1 bytes hold no newline: a line of
// max bytes with a CRLF is not over-long.
func (c cutter) carriage(b []byte, end bool) (n int, known bool) {
	if len(b) <= c.max {
		return 0, false
	}
	if b[c.max] == '\r' {
		if len(b) == c.max+1 {
			return 0, end
		}
		if b[c.max+1] == '\n' {
			return c.max + 2, true
		}
	}
	return 0, true
}

// whole measures the longest prefix of b that is made of whole lines, none of
// them over-long. n == 0 and long: b begins with an over-long line. It looks back
// from the end of a window of max+1 bytes, so it reads few bytes of each window.
func (c cutter) whole(b []byte, end bool) (n int, long bool) {
	for {
		window := b[n:min(len(b), n+c.max+1)]
		i := bytes.LastIndexByte(window, '\n')
		if i < 0 {
			k, known := c.carriage(b[n:], end)
			if k == 0 {
				return n, known
			}
			i = k - 1
		}
		n += i + 1
		if n == len(b) {
			return n, false
		}
	}
}
