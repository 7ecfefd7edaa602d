package cli

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

func TestASlipInATopicsSettingsHasItsMend(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--admin", "none", "--listen", "127.0.0.1:0", "--create-topics", "web_log:1")
	at := b.ready()["broker"]
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitUsage, "give one TOPIC, as in loghaul topic alter TOPIC NAME=VALUE..."},
		{[]string{"web_log", "retention.ms="}, exitFailed, "to put it back to the broker's: --unset retention.ms"},
		{[]string{"web_log", "retention.ms=1d"}, exitFailed, "1d is 86400000"},
		{[]string{"web_log", "segment.bytes=1MiB"}, exitFailed, "1MiB is 1048576"},
		{[]string{"web_log", "retenton.ms=1"}, exitFailed, "did you mean retention.ms?"},
		{[]string{"web_log", "partition=5"}, exitFailed, "Unknown topic config name: partition"},
		{[]string{"web_log", "partitions=none"}, exitUsage, "partitions=none: must be how many"},
		{[]string{"web_log", "partitions=0"}, exitUsage, "partitions=0: must be how many"},
		{[]string{"web_log", "retention.ms =5"}, exitUsage, "without blanks"},
		{[]string{"web_log", "--unset", "retenton.ms"}, exitFailed, "--unset retenton.ms: topics have no such setting: did you mean retention.ms?"},
		{[]string{"web_log", "--unset", "nope"}, exitFailed, "see loghaul topic describe web_log"},
		{[]string{"web_log", "--unset", "retention.ms"}, exitDone, "retention.ms as the broker has it"},
	} {
		o := loghaul(t, append([]string{"topic", "alter", "--brokers", at}, c.args...)...).want(t, c.code, c.says)
		if c.args != nil && c.args[len(c.args)-1] == "partition=5" && strings.Contains(o.stderr, "did you mean") {
			t.Errorf("a setting far from it is proposed: %s", o.stderr)
		}
	}
}

func TestAnHTTPServerIsNoBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer l.Close()
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			conn.Close()
		}
	})
	o := loghaul(t, "topic", "list", "--brokers", l.Addr().String()).want(t, exitFailed, "an HTTP server answers there: name a Kafka listener's address with --brokers")
	if strings.Contains(o.stderr, "login") {
		t.Errorf("it says %s", o.stderr)
	}
}
