package diskroom

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// letterSuffix ends the names of dead letter topics.
const letterSuffix = ".dlq"

// patience is how long a batch waits for room to be made before it is refused: nobody is refused for what deleting a
// committed segment mends.
const patience = 5 * time.Second

// RefusedError is why a client's records are not taken now. They may be sent again.
type RefusedError struct{ Why string }

// Error is a sentence with the mend.
func (e *RefusedError) Error() string { return e.Why }

// Admit says whether so many bytes may be written to a topic for a client: nil, or a *RefusedError. What is let in is
// counted as written.
func (r *Room) Admit(topic string, bytes int) error {
	letter := strings.HasSuffix(topic, letterSuffix)
	if f := r.full.Load(); f != nil && !r.tryLeaveFull() && !((letter || r.takesLetters(topic)) && r.lettersFit(bytes)) {
		r.refused.Add(1)
		return f.refusal
	}
	if r.cfg.Budget > 0 {
		if err := r.charge(topic, int64(bytes), letter); err != nil {
			return err
		}
	}
	r.admitted.Add(1)
	return nil
}

// charge books bytes against the budget. Where there is no room it waits until a look has made some, or has found that
// nobody can; for dead letters, two looks, of which the second has begun after the asking.
func (r *Room) charge(topic string, n int64, letter bool) error {
	if n > r.marks.limit { // nothing may go for what can never come
		r.refused.Add(1)
		return &RefusedError{fmt.Sprintf("a batch of %s is larger than what clients may have of the disk budget of %s: send smaller ones, or raise --disk-budget", Bytes(n), Bytes(r.cfg.Budget))}
	}
	var late <-chan time.Time
	for try := 0; ; try++ {
		w := r.wall.Load()
		if r.measured.Load() && (w == nil || letter) && r.book(n, letter) {
			return nil
		}
		if !letter && r.takesLetters(topic) {
			letter, try = true, -1
			continue
		}
		if !letter {
			r.want(n)
		}
		if letter && try == 2 || w != nil && !letter {
			return r.refuse(letter)
		}
		if late == nil {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			late = timer.C
		}
		r.mu.Lock()
		verdict := r.mu.verdict
		r.mu.Unlock()
		r.kick()
		select {
		case <-verdict:
		case <-r.stopped:
			return r.refuse(letter)
		case <-late:
			return r.refuse(letter)
		}
	}
}

// want has the next look know of a batch that finds no room.
func (r *Room) want(n int64) {
	for {
		now := r.wanted.Load()
		if now >= n || r.wanted.CompareAndSwap(now, n) {
			return
		}
	}
}

// book takes bytes if the budget has them.
func (r *Room) book(n int64, letter bool) bool {
	limit := r.marks.limit
	if letter {
		limit = r.marks.budget
	}
	charged := r.charged.Add(n)
	used := charged + r.base.Load()
	if used > limit {
		r.charged.Add(-n)
		return false
	}
	if used > r.marks.begin {
		r.kick()
	}
	return true
}

// refuse counts and says why.
func (r *Room) refuse(letter bool) error {
	r.refused.Add(1)
	r.kick() // somebody may have committed by now
	switch w := r.wall.Load(); {
	case letter:
		return &RefusedError{fmt.Sprintf("the disk budget of %s is used up, the reserve for dead letters too: raise --disk-budget, or trim what is not needed any more", Bytes(r.cfg.Budget))}
	case w != nil:
		return w.refusal
	}
	return &RefusedError{fmt.Sprintf("the disk budget of %s is used up: free room, or raise --disk-budget", Bytes(r.cfg.Budget))}
}

// takesLetters says whether a topic takes a sink's dead letters.
func (r *Room) takesLetters(topic string) bool {
	if strings.HasSuffix(topic, letterSuffix) {
		return true
	}
	sinks, _ := r.cfg.Sinks()
	return lettersOf(sinks, topic)
}

// lettersOf says whether one of the sinks has its dead letters go to a topic.
func lettersOf(sinks []Sink, topic string) bool {
	return slices.ContainsFunc(sinks, func(s Sink) bool { return s.Letters != nil && s.Letters(topic) })
}

// Blocked says whether clients' records are refused now, and why.
func (r *Room) Blocked() (why string, blocked bool) {
	if f := r.full.Load(); f != nil {
		return f.refusal.Why, true
	}
	if w := r.wall.Load(); w != nil {
		return w.refusal.Why, true
	}
	return "", false
}
