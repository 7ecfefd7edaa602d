package agent

import (
	"testing"
)

func TestAFileThatIsRotatedBeforeTheBrokerWasEverThereIsRead(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "a.log", "")
	h.lines("a.log", 0, 10)
	h.b.Stop()
	r := h.start()
	<-r.Ready()
	h.until(func() bool { return r.journalKnows("web_log", 1) }, func() string { return "the file is not journaled while the broker is away" })
	for n := 10; n < 40; n += 10 {
		h.rename("a.log", "a.log."+string(rune('0'+n/10)))
		h.lines("a.log", n, 10)
	}
	h.b.Start(oneTopic)
	h.want("web_log", numbered("a.log", 0, 40))
	h.contiguous("web_log")
}

func TestStartAtTheEndHoldsThoughTheBrokerIsAway(t *testing.T) {
	h := newHouse(t, oneTopic)
	h.input("web", "web_log", "*.log", `"start":"end"`)
	h.lines("old.log", 0, 10)
	h.b.Stop()
	r := h.start()
	<-r.Ready()
	h.until(func() bool { return r.journalKnows("web_log", 1) }, func() string { return "the end of that moment is not journaled" })
	r.stop()
	h.lines("old.log", 10, 5)
	h.b.Start(oneTopic)
	h.start()
	h.want("web_log", numbered("old.log", 10, 5))
}
