package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/spf13/cobra"
)

func newCheck(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check FILE...", Short: "check inputs, sinks and configuration files without touching anything", Args: cobra.MinimumNArgs(1),
		Long: `Checks files that hold an input, a sink, a tutorial list (JSON) or the flags of a command (YAML, as --config takes them).
What a JSON file holds is told by its folder, inputs or sinks, else by its fields. A folder stands for the files in it.`,
		RunE: run(func(_ context.Context, args []string) error { return g.checkFiles(args) }),
	}
	g.addOutput(cmd)
	return cmd
}

// checked is the verdict on one file.
type checked struct {
	File   string      `json:"file"`
	Kind   string      `json:"kind"` // input, sink, tutorial list, configuration
	Errors []complaint `json:"errors"`
}

type complaint struct {
	Line  int    `json:"line,omitempty"`
	Field string `json:"field,omitempty"`
	Error string `json:"error"`
}

func (g *globals) checkFiles(args []string) error {
	files, err := expand(args)
	if err != nil {
		return err
	}
	var all []checked
	t := table{header: []string{"FILE", "KIND", "RESULT"}}
	bad := 0
	for _, file := range files {
		c := checkFile(g, file)
		all = append(all, c)
		if len(c.Errors) == 0 {
			t.add(file, c.Kind, "ok")
			continue
		}
		bad++
		for _, e := range c.Errors {
			t.add(place(file, e.Line), c.Kind, e.text())
		}
	}
	if err := g.print(map[string]any{"files": all}, t); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d of %s refused", bad, plural(len(files), "file"))
	}
	return nil
}

// place is a file with a line as editors understand it.
func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func (c complaint) text() string {
	if c.Field == "" {
		return c.Error
	}
	return c.Field + ": " + c.Error
}

// expand puts the files of a folder in its place.
func expand(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("checking: %w", err)
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		inside, err := filepath.Glob(filepath.Join(arg, "*.json"))
		if err != nil || len(inside) == 0 {
			return nil, fmt.Errorf("checking %s: it holds no *.json", arg)
		}
		files = append(files, inside...)
	}
	return files, nil
}

func checkFile(g *globals, file string) checked {
	c := checked{File: file, Errors: []complaint{}}
	data, err := (&shelf{g: g, kind: "files"}).read(file)
	if err != nil {
		c.Errors = append(c.Errors, complaint{Error: err.Error()})
		return c
	}
	v := etcdconf.Value{Name: strings.TrimSuffix(filepath.Base(file), ".json"), Key: file, Data: data}
	switch c.Kind = kindOf(file, data); c.Kind {
	case "sink":
		err = checkSink(v)
	case "tutorial list":
		v.Name = "collect_config/" + v.Name
		_, err = etcdconf.ParseInputs(v)
	case "configuration":
		_, err = readConfig(file, newRoot(&globals{}))
	default:
		err = checkInput(v)
	}
	var ve *etcdconf.ValueError
	switch {
	case errors.As(err, &ve):
		for _, e := range ve.Complaints {
			c.Errors = append(c.Errors, complaint{e.Line, e.Field, e.Text})
		}
	case err != nil:
		c.Errors = append(c.Errors, complaint{Error: err.Error()})
	}
	return c
}

// kindOf tells what a file holds.
func kindOf(file string, data []byte) string {
	if ext := filepath.Ext(file); ext == ".yaml" || ext == ".yml" {
		return "configuration"
	}
	if strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
		return "tutorial list"
	}
	if absolute, err := filepath.Abs(file); err == nil {
		switch filepath.Base(filepath.Dir(absolute)) {
		case "inputs":
			return "input"
		case "sinks":
			return "sink"
		}
	}
	var shape map[string]json.RawMessage
	_ = json.Unmarshal(data, &shape) // what is no JSON is refused as an input
	if shape["type"] != nil || shape["topics"] != nil || shape["group"] != nil {
		return "sink"
	}
	return "input"
}
