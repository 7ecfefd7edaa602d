package cli

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUsageIsOneHintLineAndCode2(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"unknown command", []string{"hual"}, "unknown command"},
		{"unknown flag", []string{"consume", "web_log", "--form", "end"}, "unknown flag: --form: did you mean --format?"},
		{"a slip in a flag", []string{"broker", "--dtaa", "x"}, "unknown flag: --dtaa: did you mean --data?"},
		{"a flag of a command that is not there", []string{"broker", "user", "ad", "--data", "x"}, "unknown flag: --data: the commands of loghaul broker user are add, list, rm"},
		{"no number", []string{"topic", "create", "t", "--partitions", "many"}, "--partitions many: must be a number"},
		{"a number out of range", []string{"topic", "create", "t", "--partitions", "99999999999"}, "--partitions 99999999999: is out of range"},
		{"neither true nor false", []string{"consume", "t", "--follow=maybe"}, "--follow maybe: must be true or false"},
		{"missing argument", []string{"consume"}, "loghaul consume: give one TOPIC"},
		{"a group alone", []string{"topic"}, "say what to do: list, create, describe, alter, trim, delete"},
		{"unknown subcommand", []string{"topic", "lsit"}, `unknown command "lsit"`},
		{"bad place", []string{"consume", "t", "--from", "yesterday"}, "--from yesterday"},
		{"bad format", []string{"consume", "t", "--format", "%q"}, "%q is not known"},
		{"bad output", []string{"topic", "list", "-o", "xml"}, "-o xml"},
		{"bad acks", []string{"produce", "t", "--acks", "2"}, "--acks 2"},
		{"bad size", []string{"agent", "--data", "x", "--memory", "much"}, "--memory"},
		{"bad pair", []string{"agent", "--data", "x", "--label", "tier"}, "--label tier: must be NAME=VALUE"},
		{"no address to listen on", []string{"broker", "--data", t.TempDir(), "--listen", "9092"}, "--listen 9092: must be HOST:PORT"},
		{"no address to be reached at", []string{"broker", "--data", t.TempDir(), "--advertise", "EXTERNAL://host"}, "--advertise EXTERNAL://host: must be HOST:PORT"},
		{"no address for etcd", []string{"up", "--data", t.TempDir(), "--etcd-listen", "localhost"}, "--etcd-listen localhost: must be HOST:PORT"},
		{"no data folder", []string{"broker"}, "--data is required"},
		{"no etcd and no folder", []string{"agent", "--data", t.TempDir(), "--etcd", "none"}, "--etcd none needs --inputs"},
		{"other brokers for up", []string{"up", "--brokers", "a:1"}, "--brokers does not go with up"},
		{"an expanded pattern", []string{"up", "--follow", "a.log", "b.log"}, "quote the pattern"},
		{"log level", []string{"version", "--log-level", "loud"}, "--log-level loud"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := loghaul(t, c.args...).want(t, exitUsage, c.says, "--help")
			if lines := strings.Count(o.stderr, "\n"); lines != 2 || o.stdout != "" {
				t.Errorf("said %d lines on stderr and %q on stdout, want the reason, the hint and nothing: %s", lines, o.stdout, o.stderr)
			}
		})
	}
}

func TestVersionSpeaksEveryFormat(t *testing.T) {
	var v struct{ Version, Go, Platform string }
	if o := loghaul(t, "version", "-o", "json").want(t, exitDone); json.Unmarshal([]byte(o.stdout), &v) != nil || v.Version == "" || v.Go == "" {
		t.Errorf("version -o json = %q", o.stdout)
	}
	if o := loghaul(t, "version", "-o", "yaml").want(t, exitDone); !strings.Contains(o.stdout, "version: "+v.Version+"\n") {
		t.Errorf("version -o yaml = %q, want the version", o.stdout)
	}
	if o := loghaul(t, "version", "-o", "name").want(t, exitDone); o.stdout != v.Version+"\n" {
		t.Errorf("version -o name = %q, want %q", o.stdout, v.Version)
	}
	if o := loghaul(t, "version").want(t, exitDone); !strings.HasPrefix(o.stdout, "VERSION") {
		t.Errorf("version = %q, want a table", o.stdout)
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if o := loghaul(t, "completion", shell).want(t, exitDone); !strings.Contains(o.stdout, "loghaul") {
			t.Errorf("completion %s printed no script", shell)
		}
	}
	loghaul(t, "completion", "tcsh").want(t, exitUsage, "tcsh")
}

// settled runs a command whose output is its own -o flag's effect, to see which value won.
func settled(t *testing.T, args ...string) string {
	t.Helper()
	return loghaul(t, append([]string{"version"}, args...)...).want(t, exitDone).stdout
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	isJSON := func(s string) bool { return strings.HasPrefix(s, "{") }
	isYAML := func(s string) bool { return strings.HasPrefix(s, "version: ") }
	file := filepath.Join(t.TempDir(), "loghaul.yaml")
	if err := os.WriteFile(file, []byte("output: json\ndata: /var/lib/loghaul\nlabel: {tier: front}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := settled(t); isJSON(s) || isYAML(s) {
		t.Errorf("without anything: %q, want the default", s)
	}
	if s := settled(t, "--config", file); !isJSON(s) {
		t.Errorf("with the file: %q, want its json", s)
	}
	t.Setenv("LOGHAUL_CONFIG", file)
	if s := settled(t); !isJSON(s) {
		t.Errorf("with the file named by the environment: %q, want its json", s)
	}
	t.Setenv("LOGHAUL_OUTPUT", "yaml")
	if s := settled(t); !isYAML(s) {
		t.Errorf("with file and environment: %q, want the environment's yaml", s)
	}
	if s := settled(t, "-o", "json"); !isJSON(s) {
		t.Errorf("with all three: %q, want the flag's json", s)
	}
}

func TestConfigFileRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"unknown name", "data: x\ndtaa: y\n", `line 2: "dtaa" is not a flag of any command`},
		{"acting is typed only", "yes: true\n", `"yes" is not a flag`},
		{"not a map", "- data\n", "line 1: must be names with values"},
		{"a list for one value", "log-level: [info, debug]\n", "takes one value"},
		{"nested", "label: {tier: {a: b}}\n", "line 1: label: must be names with plain values"},
		{"broken", "data: [\n", "reading --config"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			loghaul(t, "version", "--config", file).want(t, exitUsage, c.says)
		})
	}
	loghaul(t, "version", "--config", "/nowhere.yaml").want(t, exitUsage, "/nowhere.yaml")
}

func TestListsInTheEnvironmentAreCutAtCommas(t *testing.T) {
	t.Setenv("LOGHAUL_LABEL", "tier=front,region")
	loghaul(t, "agent", "--data", t.TempDir()).want(t, exitUsage, "--label region: must be NAME=VALUE")
	for in, want := range map[string]string{
		"a,b":                      "a|b",
		"/l/{a,b}.log,/m/*.log":    "/l/{a,b}.log|/m/*.log",
		"":                         "",
		"one":                      "one",
		"/l/{a,{b,c}}.log,{d,e},f": "/l/{a,{b,c}}.log|{d,e}|f",
	} {
		if got := strings.Join(splitList(in), "|"); got != want {
			t.Errorf("splitList(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestTheEnvironmentNeverActs(t *testing.T) {
	t.Setenv("LOGHAUL_YES", "true")
	g := &globals{stderr: io.Discard}
	root := newRoot(g)
	cmd, _, err := root.Find([]string{"topic", "delete"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags(nil); err != nil {
		t.Fatal(err)
	}
	if err := g.settle(cmd); err != nil {
		t.Fatal(err)
	}
	if yes := cmd.Flags().Lookup("yes"); yes.Value.String() != "false" {
		t.Errorf("--yes is %s from the environment, want it typed or false", yes.Value)
	}
}
