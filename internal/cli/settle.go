package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/internal/nearest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// onlyTyped marks flags that must be typed to count: --yes acts, and consume's --follow is not up's.
const onlyTyped = "loghaul_only_typed"

// settle gives every flag of cmd its value: as typed, else from the environment, else from the configuration file,
// else its default. Then the command may begin.
func (g *globals) settle(cmd *cobra.Command) error {
	g.typed, g.places = map[string]bool{}, map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) { g.typed[f.Name] = true })
	if err := fromEnvironment(cmd.Flags().Lookup("config")); err != nil {
		return err
	}
	file, err := readConfig(g.config, cmd.Root())
	if err != nil {
		return err
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed != nil || f.Changed || f.Name == "help" || f.Annotations[onlyTyped] != nil {
			return
		}
		if failed = fromEnvironment(f); failed == nil && f.Changed {
			g.places[f.Name] = variable(f.Name)
		} else if failed == nil && file[f.Name] != nil {
			failed = set(f, file[f.Name], g.config)
			g.places[f.Name] = g.config + ": " + f.Name
		}
	})
	if failed != nil {
		return failed
	}
	if err := g.check(); err != nil {
		return err
	}
	g.warnOfVariables(os.Environ(), cmd.Root())
	g.running = true
	return nil
}

// warnOfVariables says which LOGHAUL_ variables no command reads.
func (g *globals) warnOfVariables(environ []string, root *cobra.Command) {
	known := []string{variable("config")}
	for _, flag := range flagNames(root) {
		known = append(known, variable(flag))
	}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		rest, ours := strings.CutPrefix(name, "LOGHAUL_")
		if !ours || strings.HasPrefix(rest, "TEST_") || slices.Contains(known, name) || ofKubernetes(rest, value) {
			continue
		}
		near, _ := nearest.Of(name, known)
		g.log.Warn(name + " is read by no command: did you mean " + near + "?")
	}
}

// variable is the environment's name of a flag: --broker-listen is LOGHAUL_BROKER_LISTEN.
func variable(flag string) string {
	return "LOGHAUL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func fromEnvironment(f *pflag.Flag) error {
	value, ok := os.LookupEnv(variable(f.Name))
	if !ok || f.Changed {
		return nil
	}
	values := []string{value}
	if _, list := f.Value.(pflag.SliceValue); list {
		values = splitList(value)
	}
	return set(f, values, "environment "+variable(f.Name))
}

// set gives f the values that were found at place.
func set(f *pflag.Flag, values []string, place string) error {
	var err error
	list, ok := f.Value.(pflag.SliceValue)
	switch {
	case ok:
		err = list.Replace(values)
	case len(values) == 1:
		err = f.Value.Set(values[0])
	default:
		err = fmt.Errorf("takes one value, not a list")
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", place, f.Name, err)
	}
	f.Changed = true
	return nil
}

// splitList cuts at commas, but not inside the braces of a pattern like /var/log/{a,b}.log.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	var list []string
	depth, begin := 0, 0
	for i, c := range s {
		switch {
		case c == '{':
			depth++
		case c == '}':
			depth--
		case c == ',' && depth <= 0:
			list, begin = append(list, s[begin:i]), i+1
		}
	}
	return append(list, s[begin:])
}

// readConfig reads the file's values by flag name. A name that no command knows is refused.
func readConfig(path string, root *cobra.Command) (map[string][]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading --config: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("reading --config %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("reading --config %s: line %d: must be names with values, as in \"data: /var/lib/loghaul\"", path, top.Line)
	}
	known, values := flagNames(root), map[string][]string{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		name, value := top.Content[i], top.Content[i+1]
		if !slices.Contains(known, name.Value) {
			return nil, fmt.Errorf("reading --config %s: line %d: %q is not a flag of any command", path, name.Line, name.Value)
		}
		if values[name.Value], err = scalars(value); err != nil {
			return nil, fmt.Errorf("reading --config %s: line %d: %s: %w", path, value.Line, name.Value, err)
		}
	}
	return values, nil
}

// scalars is a YAML value as a flag takes it: one value, a list, or a map as K=V.
func scalars(n *yaml.Node) ([]string, error) {
	list := []string{}
	switch n.Kind {
	case yaml.ScalarNode:
		return []string{n.Value}, nil
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("must be a list of plain values")
			}
			list = append(list, c.Value)
		}
		return list, nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i+1].Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("must be names with plain values")
			}
			list = append(list, n.Content[i].Value+"="+n.Content[i+1].Value)
		}
		return list, nil
	}
	return nil, fmt.Errorf("must be a value, a list, or names with values")
}

// flagNames are the names that a configuration file may use: those of every command.
func flagNames(root *cobra.Command) []string {
	var names []string
	collect := func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "config" && f.Annotations[onlyTyped] == nil {
			names = append(names, f.Name)
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.PersistentFlags().VisitAll(collect)
		c.Flags().VisitAll(collect)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return names
}
