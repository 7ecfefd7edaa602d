package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// rsyslog reads with imfile and sends with omkafka, both as Debian has them.
type rsyslog struct{ program string }

// collector is an OpenTelemetry Collector with the filelog receiver and the Kafka exporter.
type collector struct{ program string }

const (
	nameRsyslog   = "rsyslog"
	nameCollector = "collector"
)

func (*rsyslog) name() string   { return nameRsyslog }
func (*collector) name() string { return nameCollector }

func findRsyslog(cfg AgentConfig) (shipper, string, error) {
	program, err := lookFor(cfg.Rsyslog, "--rsyslog", nameRsyslog, "rsyslogd", "/usr/sbin/rsyslogd")
	if err != nil {
		return nil, "", err
	}
	module, _ := filepath.Glob("/usr/lib/*/rsyslog/omkafka.so")
	if len(module) == 0 && cfg.Rsyslog == "" {
		return nil, "", fmt.Errorf("%s: %w: its module omkafka is not installed (Debian: rsyslog-kafka)", nameRsyslog, errNotHere)
	}
	return &rsyslog{program}, nameRsyslog + " " + versionOf(program, "-v", 1), nil
}

func findCollector(cfg AgentConfig) (shipper, string, error) {
	place := "otelcol"
	if cache, err := os.UserCacheDir(); err == nil {
		place = filepath.Join(cache, "loghaul", "otelcol", "otelcol")
	}
	program, err := lookFor(cfg.Collector, "--collector", nameCollector, place)
	if err != nil {
		return nil, "", err
	}
	return &collector{program}, nameCollector + " " + versionOf(program, "--version", 2), nil
}

// versionOf is a word of the first line that a program says of itself.
func versionOf(program, flag string, word int) string {
	out, err := exec.Command(program, flag).Output()
	first, _, _ := strings.Cut(string(out), "\n")
	if f := strings.Fields(first); err == nil && len(f) > word {
		return strings.TrimSuffix(f[word], ",")
	}
	return "of unknown version"
}

// start runs rsyslog with what it is fastest with: large batches for a whole file, and no waiting for lines that come one
// by one.
func (r *rsyslog) start(ctx context.Context, j job) (*process, error) {
	linger, queue := "5", `queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="1024"`
	if !j.once {
		linger, queue = "0", `queue.type="Direct"`
	}
	conf := fmt.Sprintf(`global(workDirectory=%[1]q maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omkafka")
template(name="raw" type="string" string="%%msg%%")
input(type="imfile" file=%[2]q tag="bench" ruleset="bench")
ruleset(name="bench" %[7]s) {
  action(type="omkafka" broker=[%[3]q] topic=%[4]q template="raw"
    confParam=["compression.codec=%[5]s","linger.ms=%[6]s","queue.buffering.max.messages=1000000","batch.num.messages=10000","socket.nagle.disable=true"]
    topicConfParam=["request.required.acks=-1"])
}
`, j.dir, j.file, j.addr, j.topic, orNone(j.codec), linger, queue)
	file := filepath.Join(j.dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return run(ctx, nameRsyslog, exec.Command(r.program, "-n", "-f", file, "-i", filepath.Join(j.dir, "pid")))
}

// start runs the Collector as it is by default, but for what it says of itself, for the lines going out as they are, and for
// waiting when its queue is full, where it would drop them; a whole file goes in large batches.
func (c *collector) start(ctx context.Context, j job) (*process, error) {
	batch := ""
	if j.once {
		batch = ", batch: {flush_timeout: 200ms, min_size: 8192, max_size: 8192, sizer: items}"
	}
	conf := fmt.Sprintf(`receivers:
  filelog:
    include: [%q]
    start_at: beginning
exporters:
  kafka:
    brokers: [%q]
    logs: {topic: %q, encoding: raw}
    producer: {compression: %s, required_acks: -1}
    sending_queue: {enabled: true, num_consumers: 10, queue_size: 1000, block_on_overflow: true%s}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines:
    logs: {receivers: [filelog], exporters: [kafka]}
`, j.file, j.addr, j.topic, orNone(j.codec), batch)
	file := filepath.Join(j.dir, "collector.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return run(ctx, nameCollector, exec.Command(c.program, "--config", file))
}

func orNone(codec string) string {
	if codec == "" {
		return "none"
	}
	return codec
}
