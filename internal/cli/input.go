package cli

import (
	"context"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/spf13/cobra"
)

func newInput(g *globals) *cobra.Command {
	s := &shelf{g: g, kind: etcdconf.KindInput, check: checkInput, lines: inputLines, more: tutorials}
	return newGroup("input", "list, show, put and remove inputs: which files are followed", append(s.commands(), newInputAbandon(g))...)
}

func checkInput(v etcdconf.Value) error {
	_, err := etcdconf.ParseInput(v)
	return err
}

// tutorials are the lists under /logagent. Someone whose role may not read those still sees the others.
func tutorials(ctx context.Context, c *etcdconf.Client) ([]etcdconf.Value, error) {
	values, err := c.Tutorials(ctx)
	if err != nil && ctx.Err() == nil {
		return nil, nil
	}
	return values, err
}

func inputLines(v etcdconf.Value) []shelfLine {
	inputs, err := etcdconf.ParseInputs(v)
	if err != nil {
		return []shelfLine{{Name: v.Name, Key: v.Key, Revision: v.Revision, Error: err.Error()}}
	}
	var lines []shelfLine
	for _, i := range inputs {
		lines = append(lines, shelfLine{Name: i.Name, Key: i.Key, Revision: i.Revision, Topic: i.Topic, Paths: i.Paths, Paused: i.Paused})
	}
	return lines
}
