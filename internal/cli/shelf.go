package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/spf13/cobra"
)

// shelf is what the commands input and sink have in common: they list, show, put and remove values of one kind.
type shelf struct {
	g     *globals
	kind  etcdconf.Kind
	check func(etcdconf.Value) error                                        // lists everything that is wrong with a value
	lines func(etcdconf.Value) []shelfLine                                  // what list shows of a value; several for a tutorial list
	more  func(context.Context, *etcdconf.Client) ([]etcdconf.Value, error) // values of this kind that lie elsewhere; nil: none
}

// shelfLine is one input or sink as list shows it.
type shelfLine struct {
	Name     string            `json:"name"`
	Key      string            `json:"key"`
	Revision etcdconf.Revision `json:"revision"`
	Type     string            `json:"type,omitempty"`  // of a sink
	Topic    string            `json:"topic,omitempty"` // of an input
	Paths    []string          `json:"paths,omitempty"`
	Topics   []string          `json:"topics,omitempty"`
	Paused   bool              `json:"paused"`
	Error    string            `json:"error,omitempty"` // why it is refused
}

// state is the column that says whether a value is one at all.
func (l shelfLine) state() string {
	switch {
	case l.Error != "":
		return "REFUSED: " + l.Error
	case l.Paused:
		return "paused"
	}
	return ""
}

func (s *shelf) commands() []*cobra.Command {
	noun := s.kind.Noun()
	list := &cobra.Command{
		Use: "list", Short: "list the " + string(s.kind), Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return s.list(ctx) }),
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "show the " + noun + "'s value as it is stored", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return s.show(ctx, args[0]) }),
	}
	var file string
	put := &cobra.Command{
		Use: "put NAME -f FILE|-", Short: "check the value in a file and store it", Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return s.put(ctx, args[0], file) }),
	}
	put.Flags().StringVarP(&file, "file", "f", "", "JSON file with the value; - is standard input")
	rm := &cobra.Command{
		Use: "rm NAME", Short: "remove the " + noun, Args: cobra.ExactArgs(1),
		RunE: run(func(ctx context.Context, args []string) error { return s.remove(ctx, args[0]) }),
	}
	s.g.addOutput(list)
	s.g.addOutput(show)
	s.g.addOutput(put)
	return []*cobra.Command{list, show, put, rm}
}

// all reads every value of the kind.
func (s *shelf) all(ctx context.Context) ([]etcdconf.Value, error) {
	c, err := s.g.dialEtcd()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	values, err := c.List(ctx, s.kind)
	if err == nil && s.more != nil {
		var more []etcdconf.Value
		more, err = s.more(ctx, c)
		values = append(values, more...)
	}
	return values, err
}

func (s *shelf) list(ctx context.Context) error {
	values, err := s.all(ctx)
	if err != nil {
		return err
	}
	lines := []shelfLine{}
	for _, v := range values {
		lines = append(lines, s.lines(v)...)
	}
	noun := s.kind.Noun()
	t := table{header: []string{"NAME", "TOPIC", "PATHS", "REVISION", "STATE"}, empty: fmt.Sprintf("no %s yet: loghaul %s put NAME -f FILE stores one", s.kind, noun)}
	if s.kind == etcdconf.KindSink {
		t.header = []string{"NAME", "TYPE", "TOPICS", "REVISION", "STATE"}
	}
	for _, l := range lines {
		second, third := l.Topic, l.Paths
		if s.kind == etcdconf.KindSink {
			second, third = l.Type, l.Topics
		}
		t.add(l.Name, second, few(third), strconv.FormatInt(int64(l.Revision), 10), l.state())
	}
	return s.g.print(map[string]any{string(s.kind): lines}, t)
}

// few shows the first of a list and how many there are beside it.
func few(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s +%d", list[0], len(list)-1)
}

// show prints the very bytes that are stored, so that they can be edited and put back; -o json and yaml add where they
// came from.
func (s *shelf) show(ctx context.Context, name string) error {
	values, err := s.all(ctx)
	if err != nil {
		return err
	}
	for _, v := range values {
		for _, l := range s.lines(v) {
			if l.Name == name || v.Name == name {
				return s.showValue(name, v)
			}
		}
	}
	return s.unknown(name)
}

func (s *shelf) unknown(name string) error {
	return fmt.Errorf("%s %s: there is none of that name: loghaul %s list shows those there are", s.kind.Noun(), name, s.kind.Noun())
}

func (s *shelf) showValue(name string, v etcdconf.Value) error {
	if s.g.output == "table" {
		_, err := fmt.Fprintln(s.g.stdout, string(bytes.TrimRight(v.Data, "\n")))
		return err
	}
	shown := struct {
		Name     string            `json:"name"`
		Key      string            `json:"key"`
		Revision etcdconf.Revision `json:"revision"`
		Value    any               `json:"value"` // a string where it is no JSON
	}{name, v.Key, v.Revision, string(v.Data)}
	if json.Valid(v.Data) {
		shown.Value = json.RawMessage(v.Data)
	}
	return s.g.print(shown, table{rows: [][]string{{name}}})
}

func (s *shelf) put(ctx context.Context, name, file string) error {
	if file == "" {
		return usageErrorf("%s put needs -f: name a JSON file with the value, or - for standard input", s.kind.Noun())
	}
	if err := etcdconf.CheckName(name); err != nil {
		return fmt.Errorf("%s: %w", s.kind.Noun(), err)
	}
	data, err := s.read(file)
	if err != nil {
		return err
	}
	if err := s.check(etcdconf.Value{Name: name, Key: file, Data: data}); err != nil {
		return fmt.Errorf("nothing stored: %w", err)
	}
	c, err := s.g.dialEtcd()
	if err != nil {
		return err
	}
	defer c.Close()
	at, err := c.Put(ctx, s.kind, name, data)
	if err != nil {
		return err
	}
	s.g.sayf("stored %s %s at revision %d", s.kind.Noun(), name, at)
	if s.g.output == "table" {
		return nil
	}
	return s.g.print(map[string]any{"name": name, "key": s.kind.Key(name), "revision": at}, table{rows: [][]string{{name}}})
}

// mostValue bounds what is read from a file: etcd refuses values above 1.5 MiB.
const mostValue = 1536 << 10

func (s *shelf) read(file string) ([]byte, error) {
	from := s.g.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the %s: %w", s.kind.Noun(), err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, mostValue+1))
	if err == nil && len(data) > mostValue {
		err = fmt.Errorf("%s holds more than the %d bytes etcd takes", file, mostValue)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", s.kind.Noun(), err)
	}
	return data, nil
}

func (s *shelf) remove(ctx context.Context, name string) error {
	c, err := s.g.dialEtcd()
	if err != nil {
		return err
	}
	defer c.Close()
	at, err := c.Delete(ctx, s.kind, name)
	if errors.Is(err, etcdconf.ErrNotFound) {
		return s.unknown(name)
	}
	if err != nil {
		return err
	}
	s.g.sayf("removed %s %s at revision %d", s.kind.Noun(), name, at)
	return nil
}
