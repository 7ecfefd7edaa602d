package follow

import (
	"fmt"
	"os"
	"testing"
)

// lives lets path live n more lives of which nobody sees more than their copies: numbered
// lines from on, each hundred a life.
func unseenLives(t *testing.T, path string, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		appendTo(t, path, numbered(i*100, i*100+100))
		tick(t, path)
		copyTruncate(t, path, 8)
		tick(t, path)
	}
}

func TestRule12LivesThatCameAndWentUnseenAreReadFromTheirCopies(t *testing.T) {
	for _, seen := range []int{0, 1, 3, 50} { // lines of the first life
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, seen))
		tl := tail(t, Config{Path: path})
		tl.want(tl.poll(), numbered(0, seen))
		appendTo(t, path, numbered(seen, 100))
		tick(t, path)
		copyTruncate(t, path, 8)
		tick(t, path)
		unseenLives(t, path, 1, 3)
		appendTo(t, path, numbered(400, 410))
		tl.want(tl.quiet()+tl.quiet(), numbered(seen, 410))
		appendTo(t, path, numbered(410, 420))
		tl.want(tl.quiet(), numbered(410, 420))
		if tl.s.Lost() != 0 {
			t.Errorf("%d bytes counted as lost, want none", tl.s.Lost())
		}
	}
}

func TestRule12LivesThatCameAndWentWhileNobodyRanAreReadFromTheirCopies(t *testing.T) {
	for _, seen := range []int{1, 3, 50} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, seen))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		appendTo(t, path, numbered(seen, 100))
		tick(t, path)
		copyTruncate(t, path, 8)
		tick(t, path)
		unseenLives(t, path, 1, 3)
		tl.restart(cfg)
		tl.want(tl.quiet()+tl.quiet(), numbered(seen, 400))
		appendTo(t, path, numbered(400, 410))
		tl.restart(cfg)
		tl.want(tl.quiet(), numbered(400, 410))
		unseenLives(t, path, 5, 2)
		tl.restart(cfg)
		tl.want(tl.quiet()+tl.quiet(), numbered(500, 700))
		tl.restart(cfg)
		tl.want(tl.quiet(), "")
	}
}

func TestRule12ALifeThatEndsWhileTheCopyBeforeItIsReadIsReadFromItsCopy(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 100))
	tick(t, path)
	copyTruncate(t, path, 8)
	appendTo(t, path, numbered(100, 150))
	if ready, err := tl.s.Look(); !ready || err != nil {
		t.Fatalf("Look says %t, %v", ready, err)
	}
	c, err := tl.s.Next(make([]byte, leastBuffer)) // the first of what the copy holds
	must(t, err)
	c.Data = append([]byte(nil), c.Data...)
	tl.take(c)
	tl.s.Look()
	appendTo(t, path, numbered(150, 200))
	tick(t, path)
	copyTruncate(t, path, 8)
	appendTo(t, path, numbered(200, 350)) // longer than it was
	tl.quiet()
	tl.want(tl.text.String()+tl.quiet(), numbered(0, 350))
}

func TestRule12CopiesMadeBeforeThePathWasFollowedAreNotNews(t *testing.T) {
	path := pathIn(t, "app.log")
	unseenLives(t, path, 0, 3)
	appendTo(t, path, numbered(300, 350))
	cfg := Config{Path: path}
	tl := tail(t, cfg)
	tl.want(tl.quiet(), numbered(300, 350))
	appendTo(t, path, numbered(350, 400))
	tick(t, path)
	copyTruncate(t, path, 8)
	tick(t, path)
	tl.restart(cfg)
	tl.want(tl.quiet(), numbered(350, 400))
	unseenLives(t, path, 4, 2)
	tl.want(tl.quiet()+tl.quiet(), numbered(400, 600))
}

func TestRule12ACopyThatIsStillBeingMadeIsNoLifeOfItsOwn(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 100))
	tick(t, path)
	copyTruncate(t, path, 8)
	tick(t, path)
	unseenLives(t, path, 1, 1)
	appendTo(t, path, numbered(200, 250))
	tick(t, path)
	shift(t, path+".1", 8)
	must(t, os.WriteFile(path+".1", []byte(numbered(200, 220)[:1500]), 0o644)) // as far as it has come
	tl.want(tl.quiet()+tl.quiet(), numbered(50, 250))
	appendTo(t, path, numbered(250, 260))
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".1", b, 0o644))
	grow(t, path, 0)
	appendTo(t, path, numbered(260, 270))
	tl.want(tl.quiet()+tl.quiet(), numbered(250, 270))
}

func TestRule12MoreWasReadThanTheCopyHolds(t *testing.T) {
	for _, seen := range []int{2, 60} {
		path := pathIn(t, "app.log")
		appendTo(t, path, numbered(0, seen/2))
		cfg := Config{Path: path}
		tl := tail(t, cfg)
		tl.poll()
		tick(t, path)
		b, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path+".1", b, 0o644))
		appendTo(t, path, numbered(seen/2, seen))
		tl.want(tl.poll(), numbered(seen/2, seen))
		grow(t, path, 0)
		tick(t, path)
		unseenLives(t, path, 1, 2)
		appendTo(t, path, numbered(300, 310))
		if seen == 60 {
			tl.restart(cfg)
		}
		tl.want(tl.quiet()+tl.quiet(), numbered(100, 310))
	}
}

func TestRule12LivesThatCameAndWentUnseenAreReadFromTheirArchives(t *testing.T) {
	for _, down := range []bool{false, true} {
		for _, seen := range []int{3, 50, 100} {
			path := pathIn(t, "app.log")
			appendTo(t, path, numbered(0, seen))
			cfg := Config{Path: path}
			tl := tail(t, cfg)
			tl.poll()
			appendTo(t, path, numbered(seen, 100))
			tick(t, path)
			for i := 1; i < 4; i++ {
				copyTruncate(t, path, 1)
				must(t, os.Rename(path+".1", path+"."+string(rune('9'-i))))
				tick(t, path)
				compress(t, path+"."+string(rune('9'-i)), ".gz")
				tick(t, path)
				appendTo(t, path, numbered(i*100, i*100+100))
			}
			if down {
				tl.restart(cfg)
			}
			tl.want(tl.quiet()+tl.quiet(), numbered(seen, 400))
			tl.restart(cfg)
			appendTo(t, path, numbered(400, 410))
			tl.want(tl.quiet(), numbered(400, 410))
		}
	}
}

func TestRule12MoreWasReadThanTheArchiveOfTheCopyHolds(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	tl := tail(t, Config{Path: path})
	tl.poll()
	tick(t, path)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".1", b, 0o644))
	appendTo(t, path, numbered(30, 60))
	tl.want(tl.poll(), numbered(30, 60))
	grow(t, path, 0)
	tick(t, path)
	compress(t, path+".1", ".gz")
	tick(t, path)
	appendTo(t, path, numbered(60, 70))
	tl.want(tl.quiet()+tl.quiet(), numbered(60, 70))
}

func TestRule12TheArchiveOfACopyTurnsUpAfterTheTruncation(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 30))
	tl := tail(t, Config{Path: path})
	tl.poll()
	tick(t, path)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path+".1", b, 0o644))
	appendTo(t, path, numbered(30, 60))
	tl.want(tl.poll(), numbered(30, 60))
	grow(t, path, 0)
	tick(t, path)
	tl.want(tl.poll(), "")
	g := tl.s.at
	compress(t, path+".1", ".gz")
	tick(t, path)
	tl.s.newest = 0 // the archive is born while the copies are sorted out
	tl.s.settle(lives{}, g)
	appendTo(t, path, numbered(60, 70))
	tl.want(tl.quiet()+tl.quiet(), numbered(60, 70))
}

func TestRule12TheSizeOfALaterLifeIsNoGapOfAnEarlierOne(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, numbered(0, 50))
	tl := tail(t, Config{Path: path})
	tl.poll()
	appendTo(t, path, numbered(50, 60))
	tick(t, path)
	copyTruncate(t, path, 8)
	tick(t, path)
	appendTo(t, path, numbered(100, 200))
	tl.s.Look() // a size that is the second life's
	tick(t, path)
	copyTruncate(t, path, 8)
	appendTo(t, path, numbered(200, 210))
	tl.want(tl.quiet()+tl.quiet(), numbered(50, 60)+numbered(100, 210))
	if tl.s.Lost() != 0 {
		t.Errorf("%d bytes counted as lost, want none", tl.s.Lost())
	}
}

// Between a look that finds news and the read, the file is renamed, and the next one too.
func TestRule11AFileRenamedBeforeItsFirstReadIsReadFirst(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "")
	tl := tail(t, Config{Path: path})
	tl.poll()
	tick(t, path)
	appendTo(t, path, numbered(0, 100))
	if ready, err := tl.s.Look(); err != nil || !ready {
		t.Fatalf("ready: %t, %v", ready, err)
	}
	for n := 1; n <= 2; n++ {
		tick(t, path)
		must(t, os.Rename(path, fmt.Sprintf("%s.%d", path, n)))
		appendTo(t, path, numbered(n*100, n*100+100))
	}
	for {
		c, err := tl.s.Next(tl.buf)
		if err != nil {
			break
		}
		tl.take(c)
	}
	tl.quiet()
	tl.quiet()
	tl.quiet()
	tl.want(tl.text.String(), numbered(0, 300))
}
