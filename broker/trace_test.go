package broker_test

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// linesWith are the log's lines that hold all words.
func (r *running) linesWith(words ...string) []string {
	var found []string
lines:
	for line := range strings.Lines(r.log.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		found = append(found, line)
	}
	return found
}

// The number of a connection leads from what a client did to all other lines about it.
func TestLinesAboutAClientSayWhichOne(t *testing.T) {
	r := start(t, broker.Config{Level: new(slog.LevelVar)})
	cl := r.client(kgo.ClientID("billing app"), kgo.DefaultProduceTopic("web_log"))
	r.produce(cl, "web_log", 0, 1)
	made := r.linesWith("created a topic", `client="billing app"`, "peer=127.0.0.1:", "principal=User:ANONYMOUS")
	if len(made) != 1 || !regexp.MustCompile(`connection=\d+ `).MatchString(made[0]) {
		t.Errorf("the line about a topic that a client made: %q", made)
	}
	if got := r.linesWith("level=DEBUG"); len(got) != 0 {
		t.Errorf("nobody asked for these: %q", got)
	}
	r.raw().Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	eventually(t, "a line about the garbage", func() bool { return len(r.linesWith("closed a connection", "connection=", "peer=")) == 1 })
}

func TestEveryRequestIsALineWhenThatIsAskedFor(t *testing.T) {
	level := new(slog.LevelVar)
	r := start(t, broker.Config{Level: level})
	level.Set(slog.LevelDebug)
	cl := r.client(kgo.ClientID("billing"), kgo.DefaultProduceTopic("web_log"))
	r.produce(cl, "web_log", 0, 1)
	cl.Close()
	var number string
	eventually(t, "the request and its answer", func() bool {
		came := r.linesWith("msg=request", "client=billing", "request=Produce ", "version=11", "bytes=")
		if len(came) != 1 {
			return false
		}
		number = regexp.MustCompile(`connection=\d+ `).FindString(came[0])
		return number != "" && len(r.linesWith("msg=answered", number, "request=Produce ", "took=")) == 1
	})
	eventually(t, "the connection's end", func() bool {
		return len(r.linesWith("connection closed", number, "requests=", "open=")) == 1 && len(r.linesWith("connection opened", number)) == 1
	})
}
