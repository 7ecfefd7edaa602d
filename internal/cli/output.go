package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// table is what -o table shows, and -o name of it: the first column. The value printed by json and yaml is another
// one, with all that is known.
type table struct {
	header []string   // upper case, one per column
	rows   [][]string // as many cells as the header
	empty  string     // said on standard error instead of an empty table; "" prints the bare header
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// addOutput gives cmd the flag -o; only what lists or shows has it.
func (g *globals) addOutput(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&g.output, "output", "o", "table", "how to print: table, json, yaml or name")
	must(cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "name"}, cobra.ShellCompDirectiveNoFileComp)))
}

// print writes value as -o asks. Lists are arrays under the plural name: pass map[string]any{"topics": list} or a
// struct with one such field. json tags name the fields in yaml too.
func (g *globals) print(value any, t table) error {
	switch g.output {
	case "json":
		return printJSON(g.stdout, value)
	case "yaml":
		return printYAML(g.stdout, value)
	case "name":
		for _, row := range t.rows {
			if _, err := fmt.Fprintln(g.stdout, row[0]); err != nil {
				return err
			}
		}
		return nil
	}
	return g.printTable(t)
}

func (g *globals) printTable(t table) error {
	if len(t.rows) == 0 && t.empty != "" {
		g.sayf("%s", t.empty)
		return nil
	}
	w := tabwriter.NewWriter(g.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(t.header, "\t"))
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// printYAML goes through JSON, so that both have the same names and the same omissions.
func printYAML(w io.Writer, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var n yaml.Node
	if err := yaml.Unmarshal(b, &n); err != nil {
		return err
	}
	plain(&n)
	var out bytes.Buffer // yaml's encoder keeps an error of the write as text only, and a reader that left is known by its value
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&n); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// plain turns JSON's braces and quotes into YAML's own indented style.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}
