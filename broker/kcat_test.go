package broker_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/testca"
)

// kcat runs kcat against the broker; where it is not installed the test is skipped, except in CI.
func (r *running) kcat(input string, args ...string) string {
	r.t.Helper()
	path, err := exec.LookPath("kcat")
	if err != nil {
		if os.Getenv("CI") == "true" {
			r.t.Fatal("kcat is not installed: apt-get install kcat")
		}
		r.t.Skip("kcat is not installed: apt-get install kcat")
	}
	cmd := exec.CommandContext(r.t.Context(), path, append([]string{"-b", r.addr}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("kcat %q: %v\n%s", args, err, &talk)
	}
	return string(out)
}

func TestKcatProducesAndConsumesWithEveryCodec(t *testing.T) {
	r := start(t, broker.Config{})
	var input strings.Builder
	for i := range 500 {
		fmt.Fprintf(&input, "line %d\n", i)
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			r := &running{t: t, addr: r.addr}
			topic := "kcat-" + codec
			r.kcat(input.String(), "-P", "-t", topic, "-z", codec)
			if got := r.kcat("", "-C", "-t", topic, "-e", "-q"); got != input.String() {
				t.Errorf("%d bytes came back of %d", len(got), input.Len())
			}
			if got := r.kcat("", "-C", "-t", topic, "-e", "-q", "-o", "100", "-c", "3", "-f", "%o:%s;"); got != "100:line 100;101:line 101;102:line 102;" {
				t.Errorf("from offset 100 on: %q", got)
			}
			wantLines(t, r.consume(topic, 500), 500)
		})
	}
}

func TestKcatSeesHeadersKeysTimesAndMetadata(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:2"}})
	r.kcat("me:hello\n", "-P", "-t", "web_log", "-p", "1", "-K", ":", "-H", "pos=1", "-X", "enable.idempotence=true")
	if got := r.kcat("", "-C", "-t", "web_log", "-p", "1", "-e", "-q", "-f", "%k %h %s %p"); got != "me pos=1 hello 1" {
		t.Errorf("got %q", got)
	}
	if got := r.kcat("", "-L", "-t", "web_log"); !strings.Contains(got, `topic "web_log" with 2 partitions`) || !strings.Contains(got, r.addr) {
		t.Errorf("metadata: %s", got)
	}
	if got := r.kcat("", "-Q", "-t", "web_log:1:-1"); !strings.Contains(got, "web_log [1] offset 1") {
		t.Errorf("latest offset: %q", got)
	}
}

func TestKcatInAGroupGoesOnWhereItStopped(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:3"}})
	all := func(from, to int) (lines []string) {
		for i := from; i < to; i++ {
			lines = append(lines, fmt.Sprintf("line %d", i))
		}
		return lines
	}
	read := func() []string {
		out := r.kcat("", "-G", "g", "-e", "-q", "-X", "auto.offset.reset=earliest", "web_log")
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		return lines
	}
	for _, part := range [][2]int{{0, 30}, {30, 60}} {
		want := all(part[0], part[1])
		r.kcat(strings.Join(want, "\n")+"\n", "-P", "-t", "web_log")
		got := read()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("lines %d to %d: got %q", part[0], part[1], got)
		}
	}
}

func TestKcatLogsInWithEveryMechanism(t *testing.T) {
	ca := testca.New(t)
	r := start(t, broker.Config{Data: withUser(t), Listen: []string{"SASL_SSL://127.0.0.1:0"}, Settings: map[string]string{"ssl.keystore.location": ca.Store("broker")}})
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		login := []string{"-t", mechanism, "-X", "security.protocol=SASL_SSL", "-X", "ssl.ca.location=" + ca.File, "-X", "sasl.mechanisms=" + mechanism,
			"-X", "sasl.username=alice", "-X", "sasl.password=wonder land"}
		r.kcat("one\ntwo\n", append(login, "-P")...)
		if got := r.kcat("", append(login, "-C", "-e", "-q")...); got != "one\ntwo\n" {
			t.Errorf("%s: %q came back", mechanism, got)
		}
	}
}
