package cli

import (
	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer"
	"github.com/spf13/cobra"
)

func newSink(g *globals) *cobra.Command {
	s := &shelf{g: g, kind: etcdconf.KindSink, check: checkSink, lines: sinkLines}
	return newGroup("sink", "list, show, put and remove sinks: where the records go", s.commands()...)
}

func checkSink(v etcdconf.Value) error {
	s, err := etcdconf.ParseSink(v)
	if err == nil {
		err = transfer.CheckSink(s)
	}
	return err
}

func sinkLines(v etcdconf.Value) []shelfLine {
	l := shelfLine{Name: v.Name, Key: v.Key, Revision: v.Revision}
	if err := checkSink(v); err != nil {
		l.Error = err.Error()
		return []shelfLine{l}
	}
	s, _ := etcdconf.ParseSink(v)
	l.Type, l.Topics, l.Paused = s.Type, s.Topics, s.Paused
	return []shelfLine{l}
}
