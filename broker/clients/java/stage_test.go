package java_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/realkafka"
)

// classes are the tools by the names of Kafka's scripts, without kafka- and .sh.
var classes = map[string]string{
	"acls":                 "org.apache.kafka.tools.AclCommand",
	"api-versions":         "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"client-metrics":       "org.apache.kafka.tools.ClientMetricsCommand",
	"clients":              "Clients",
	"cluster":              "org.apache.kafka.tools.ClusterTool",
	"configs":              "kafka.admin.ConfigCommand",
	"console-consumer":     "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"console-producer":     "org.apache.kafka.tools.ConsoleProducer",
	"consumer-groups":      "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"consumer-perf-test":   "org.apache.kafka.tools.ConsumerPerformance",
	"delete-records":       "org.apache.kafka.tools.DeleteRecordsCommand",
	"dump-log":             "org.apache.kafka.tools.DumpLogSegments",
	"e2e-latency":          "org.apache.kafka.tools.EndToEndLatency",
	"features":             "org.apache.kafka.tools.FeatureCommand",
	"get-offsets":          "org.apache.kafka.tools.GetOffsetShell",
	"groups":               "org.apache.kafka.tools.GroupsCommand",
	"leader-election":      "org.apache.kafka.tools.LeaderElectionCommand",
	"log-dirs":             "org.apache.kafka.tools.LogDirsCommand",
	"producer-perf-test":   "org.apache.kafka.tools.ProducerPerformance",
	"reassign-partitions":  "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
	"topics":               "org.apache.kafka.tools.TopicCommand",
	"transactions":         "org.apache.kafka.tools.TransactionsCommand",
	"verifiable-consumer":  "org.apache.kafka.tools.VerifiableConsumer",
	"verifiable-producer":  "org.apache.kafka.tools.VerifiableProducer",
}

// stage is a broker that films are played on, and the JVM with the tools.
type stage struct {
	tools *realkafka.Tools
	addr  string
	logs  string // the folder with the partitions
	tmp   string
	away  map[string]chan outcome // commands under way, by name
}

// outcome is what a command under way left.
type outcome struct {
	text string
	err  error
}

// play runs one command and answers its outcome, normalised. Before the tool's name may stand words of its own:
// "until REGEXP" repeats it until the outcome has the pattern ("until !REGEXP": has it no more), "sorted" puts the lines in order, "count" counts the lines, "only REGEXP"
// keeps the lines that match ("only !REGEXP": do not), "blur REGEXP" and "without REGEXP" wipe out what matches, "start NAME" lets it run and "end NAME" waits for it.
func (s *stage) play(t *testing.T, sc scene) (string, error) {
	t.Helper()
	w := words(sc.command)
	switch w[0] {
	case "until":
		return s.until(t, w[1], w[2:], sc.stdin)
	case "start":
		ended := make(chan outcome, 1)
		s.away[w[1]] = ended
		go func() {
			text, err := s.run(t, w[2:], sc.stdin)
			ended <- outcome{text, err}
		}()
		return "", nil
	case "end":
		select {
		case o := <-s.away[w[1]]:
			return o.text, o.err
		case <-t.Context().Done():
			return "", t.Context().Err()
		}
	case "file":
		return "", os.WriteFile(filepath.Join(s.tmp, w[1]), []byte(s.fill(sc.stdin)), 0o644)
	}
	return s.run(t, w, sc.stdin)
}

// until repeats a command for at most twenty seconds.
func (s *stage) until(t *testing.T, pattern string, w []string, stdin string) (string, error) {
	t.Helper()
	pattern, absent := strings.CutPrefix(pattern, "!")
	want := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := s.run(t, w, stdin)
		if err != nil || want.MatchString(text) != absent {
			return text, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return text, nil // which is then not what was wanted
		}
	}
}

// run runs a tool.
func (s *stage) run(t *testing.T, w []string, stdin string) (string, error) {
	t.Helper()
	switch w[0] {
	case "sorted":
		text, err := s.run(t, w[1:], stdin)
		return sorted(text), err
	case "only":
		text, err := s.run(t, w[2:], stdin)
		return only(w[1], text), err
	case "blur":
		text, err := s.run(t, w[2:], stdin)
		return regexp.MustCompile(w[1]).ReplaceAllString(text, "<blurred>"), err
	case "without":
		text, err := s.run(t, w[2:], stdin)
		return regexp.MustCompile(w[1]).ReplaceAllString(text, ""), err
	case "count":
		text, err := s.run(t, w[1:], stdin)
		return fmt.Sprintln(strings.Count(text, "\n"), "lines"), err
	}
	class := classes[w[0]]
	if class == "" {
		return "", fmt.Errorf("%s is no tool", w[0])
	}
	var args []string
	for _, a := range w[1:] {
		args = append(args, s.fill(a))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := s.tools.Run(ctx, s.fill(stdin), class, s.where(w[0], args)...)
	if err != nil {
		return "", err
	}
	text := normal(r.Out, s.places())
	for line := range strings.Lines(normal(r.Err, s.places())) {
		text += "! " + line
	}
	if r.Code != 0 {
		text += fmt.Sprintf("(exit %d)\n", r.Code)
	}
	return text, nil
}

// where adds the broker's address, under the name that each tool has for it.
func (s *stage) where(tool string, args []string) []string {
	switch tool {
	case "dump-log":
		return args
	case "clients":
		return append([]string{s.addr}, args...)
	case "cluster":
		return append(args, "--bootstrap-server", s.addr)
	}
	return append([]string{"--bootstrap-server", s.addr}, args...)
}

// places are the paths and addresses of this run.
func (s *stage) places() map[string]string {
	return map[string]string{"$LOGS": s.logs, "$TMP": s.tmp}
}

// fill puts the paths and addresses of this run into a command.
func (s *stage) fill(text string) string {
	for word, path := range s.places() {
		text = strings.ReplaceAll(text, word, path)
	}
	return strings.ReplaceAll(text, "$ADDR", s.addr)
}

// only keeps the lines that match, or those that do not.
func only(pattern, text string) string {
	pattern, absent := strings.CutPrefix(pattern, "!")
	want := regexp.MustCompile(pattern)
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if want.MatchString(line) != absent {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// show plays a whole film; judge is asked what to think of each scene.
func (s *stage) show(t *testing.T, scenes []scene, judge func(i int, text string)) {
	t.Helper()
	s.away = map[string]chan outcome{}
	for i, sc := range scenes {
		text, err := s.play(t, sc)
		if err != nil {
			t.Errorf("line %d: %s: %v", sc.line, sc.command, err)
		}
		judge(i, text)
	}
}
