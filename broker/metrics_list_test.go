package broker_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the list of metrics into DESIGN.md")

// described is a metric's description as the client library prints it.
var described = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "([^"]+)", unit: "", constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

// metricsTable lists what a running broker has registered.
func metricsTable(t *testing.T) string {
	registry := prometheus.NewRegistry()
	start(t, broker.Config{Registry: registry})
	all := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(all)
		close(all)
	}()
	var rows []string
	for d := range all {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("cannot read %s", d)
		}
		name, labels := strings.TrimPrefix(m[1], "loghaul_broker_"), strings.ReplaceAll(m[3], ",", ", ")
		if name == m[1] {
			t.Errorf("%s has a name of its own kind", m[1])
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", name, labels, m[2]))
	}
	slices.SortFunc(rows, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "`", " "), strings.ReplaceAll(b, "`", " "))
	}) // by name
	return "| loghaul_broker_ | labels | what it says |\n|---|---|---|\n" + strings.Join(rows, "")
}

func TestDesignListsTheMetrics(t *testing.T) {
	const path, begin, end, before = "DESIGN.md", "<!-- metrics -->\n", "<!-- /metrics -->", "## Clients tried\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, table := string(data), metricsTable(t)
	head, rest, ok := strings.Cut(text, begin)
	shown, tail, ok2 := strings.Cut(rest, end)
	if ok && ok2 && shown == table {
		return
	}
	if !*update {
		t.Fatalf("%s shows other metrics than the broker has: go test ./broker -run TestDesignListsTheMetrics -update", path)
	}
	if !ok || !ok2 { // where there is no list yet
		if head, tail, ok = strings.Cut(text, before); !ok {
			t.Fatalf("%s has no place for the list", path)
		}
		head, tail = head+"## Metrics\n\nGenerated from the code, as the versions above.\n\n", "\n\n"+before+tail
	}
	if err := os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
