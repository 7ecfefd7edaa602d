package agent

import (
	"testing"

	"github.com/loghaul/loghaul/agent/batch"
	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/agent/journal"
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/record"
)

func TestThatAGenerationIsGoneIsJournaledWhenItIsAcknowledged(t *testing.T) {
	j, err := journal.Open(journal.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	framer, err := batch.NewFramer("web-1", etcdconf.Input{Topic: "web_log", Compression: "none"})
	if err != nil {
		t.Fatal(err)
	}
	framer.Bytes = 1 << 20
	s := &stream{id: streamID{"/var/log/a.log", "web_log"}, in: &input{framer: framer}, awake: &awake{}}
	id := follow.ID{Inode: 7}
	c := follow.Chunk{ID: id, Generation: id.Generation(), Path: "/var/log/a.log", Data: []byte("the last line\n"), Final: true, Gone: true}
	src, err := s.source(j, 0, c)
	if err != nil {
		t.Fatal(err)
	}
	ended := func() bool {
		g, ok := j.Known("web_log", journalID(id))
		return ok && g.Ended
	}
	b := batch.New(1000)
	b.Add(src.Source, c)
	if s.acknowledged(j) || ended() {
		t.Fatal("a generation counts as over whose last line is read and not begun: a kill now would lose it")
	}
	e := b.Entry(journal.Partition{Topic: "web_log"}, journal.TopicID{}, record.Producer{ID: 1}, 0)
	if err := j.Begin(e); err != nil {
		t.Fatal(err)
	}
	if s.acknowledged(j) || ended() {
		t.Fatal("a generation counts as over whose last line is not acknowledged")
	}
	j.Done(e.Seq, 0)
	if !s.acknowledged(j) || !ended() || len(s.sources) != 0 || s.ending {
		t.Errorf("acknowledged, and the journal says that it is over: %t; %d sources are left", ended(), len(s.sources))
	}
	if !s.toldBefore(j, follow.Chunk{ID: id, Final: true, Gone: true}) {
		t.Error("that it is gone would be written down again at each start")
	}
	if s.toldBefore(j, c) || s.toldBefore(j, follow.Chunk{ID: id, Final: true, Gone: true, Lost: 5}) {
		t.Error("a chunk with lines, or with a loss, is passed over")
	}
}
