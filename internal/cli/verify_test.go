package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/record"
)

// verified is one file as verify -o json shows it.
type verified struct {
	Host, Path, Generation, Topic                     string
	Read, Acked, Delivered, Skipped, Expired, Waiting int64
	SkippedFor                                        struct{ Filters, Start, LongLines int64 } `json:"skipped_for"`
	Lost, Doubled                                     []struct {
		From, To       int64
		Known, AtLeast bool
	}
}

// host is a broker and the folder of an agent whose commands the tests run.
type host struct {
	t      *testing.T
	dir    string
	broker string
}

func newHost(t *testing.T, topics string) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	for _, name := range []string{"inputs", "logs"} {
		if err := os.Mkdir(filepath.Join(h.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := begin(t, nil, "broker", "--data", filepath.Join(h.dir, "broker"), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", topics)
	h.broker = b.ready()["broker"]
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, "logs", name) }

// put writes a file of the host: a log, or with the folder before its name an input.
func (h *host) put(path, text string) {
	h.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) input(name, more string) {
	h.put(filepath.Join(h.dir, "inputs", name+".json"), fmt.Sprintf(`{"paths":[%q],"topic":"web_log"%s}`, h.path("*.log"), more))
}

// agentArgs are those of this host's agent.
func (h *host) agentArgs(more ...string) []string {
	return append([]string{"agent", "--data", filepath.Join(h.dir, "agent"), "--host", "web-1", "--inputs", filepath.Join(h.dir, "inputs"), "--etcd", "none",
		"--brokers", h.broker, "--allow-root", filepath.Join(h.dir, "logs"), "--admin", "none"}, more...)
}

func (h *host) once() {
	h.t.Helper()
	loghaul(h.t, h.agentArgs("--once")...).want(h.t, exitDone)
}

// verify wants an exit code and gives what was found.
func (h *host) verify(code int, args ...string) []verified {
	h.t.Helper()
	o := loghaul(h.t, append([]string{"verify", "--brokers", h.broker, "-o", "json"}, args...)...).want(h.t, code)
	var found struct{ Files []verified }
	if err := json.Unmarshal([]byte(o.stdout), &found); err != nil {
		h.t.Fatalf("%v in %s", err, o.stdout)
	}
	return found.Files
}

// forgetTopicIDs makes the account that of an agent which names no topic ids.
func (h *host) forgetTopicIDs() {
	h.t.Helper()
	o := loghaul(h.t, "consume", ledger.Topic, "--follow=false", "--brokers", h.broker, "--format", `%k %s\n`).want(h.t, exitDone)
	for _, text := range strings.Split(strings.TrimSpace(o.stdout), "\n") {
		key, value, _ := strings.Cut(text, " ")
		e, err := ledger.Read([]byte(value))
		if err != nil || e.TopicID == "" {
			h.t.Fatalf("the account has %s: %v", text, err)
		}
		e.TopicID, e.Earlier = "", 0
		plain, err := e.Value()
		if err != nil {
			h.t.Fatal(err)
		}
		loghaulWith(h.t, string(plain)+"\n", "produce", ledger.Topic, "--key", key, "--brokers", h.broker).want(h.t, exitDone)
	}
}

func TestVerifyExplainsEveryByteOfEveryFile(t *testing.T) {
	h := newHost(t, "web_log:2")
	loghaul(t, "verify", "--brokers", h.broker).want(t, exitFailed, "topic loghaul.account does not exist")

	h.put(h.path("a.log"), "one\ndebug two\nthree\n"+strings.Repeat("x", 64)+"\ndebug end\n")
	h.put(h.path("b.log"), "only\n")
	h.input("web", `,"drop":["^debug"],"max_line_bytes":32,"long_lines":"truncate"`)
	h.once()
	files := h.verify(exitDone)
	if len(files) != 2 {
		t.Fatalf("verify shows %+v, want two files", files)
	}
	a := files[0]
	if a.Host != "web-1" || a.Path != h.path("a.log") || a.Topic != "web_log" || a.Read != 95 || a.Acked != 95 || a.Delivered != 42 || a.Skipped != 53 || a.Waiting != 0 {
		t.Errorf("of a.log it says %+v", a)
	}
	if a.SkippedFor.Filters != 20 || a.SkippedFor.Start != 0 {
		t.Errorf("of a.log %+v was left out", a.SkippedFor)
	}
	if got := h.verify(exitDone, "--path", h.path("b*"), "--host", "web-?"); len(got) != 1 || got[0].Acked != 5 {
		t.Errorf("--path shows %+v", got)
	}
	for _, wrong := range [][]string{{"--host", "web-2"}, {"--path", "/no/such.log"}, {"--topic", "web_lgo"}} {
		if got := h.verify(exitFailed, wrong...); len(got) != 0 {
			t.Errorf("%s shows %+v", wrong, got)
		}
		loghaul(t, append([]string{"verify", "--brokers", h.broker}, wrong...)...).want(t, exitFailed, "no agent has told of a file that "+strings.Join(wrong, " ")+" names")
	}
	if o := loghaul(t, "verify", "--brokers", h.broker).want(t, exitDone, "100 bytes acknowledged: each of them is explained"); !strings.Contains(o.stdout, "GENERATION") {
		t.Errorf("the table is %s", o.stdout)
	}
}

func TestVerifyOfAFileThatIsFollowedFromItsEnd(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.put(h.path("a.log"), "before\n")
	h.input("web", `,"start":"end"`)
	h.once()
	h.put(h.path("a.log"), "before\nafter\n")
	h.once()
	files := h.verify(exitDone)
	if len(files) != 1 || files[0].Delivered != 6 || files[0].Skipped != 7 || files[0].SkippedFor.Start != 7 {
		t.Errorf("verify shows %+v", files)
	}
}

func TestVerifyNamesTheBytesOfAGapAndOfADouble(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.put(h.path("a.log"), "0123456\n0123456\n0123456\n0123456\n")
	h.input("web", "")
	h.once()
	h.verify(exitDone)

	o := loghaul(t, "consume", "web_log", "--follow=false", "--brokers", h.broker, "--format", `%k %h %s\n`).want(t, exitDone)
	records := strings.Split(strings.TrimSpace(o.stdout), "\n")
	loghaul(t, "topic", "delete", "web_log", "--yes", "--brokers", h.broker).want(t, exitDone)
	h.verify(exitDone) // what an operator deletes has expired
	loghaul(t, "topic", "create", "web_log", "--partitions", "1", "--brokers", h.broker).want(t, exitDone)
	if files := h.verify(exitDone); len(files) != 1 || files[0].Expired != 32 {
		t.Errorf("in a topic made anew verify finds %+v", files)
	}
	h.forgetTopicIDs()
	if files := h.verify(exitDegraded); len(files) != 1 || len(files[0].Lost) != 1 || files[0].Lost[0].From != 0 || files[0].Lost[0].To != 32 {
		t.Errorf("in an empty topic verify finds %+v", files)
	}
	put := func(n int) {
		t.Helper()
		f := strings.SplitN(records[n], " ", 3)
		loghaulWith(t, f[2]+"\n", "produce", "web_log", "--key", f[0], "--header", f[1], "--brokers", h.broker).want(t, exitDone)
	}
	for _, n := range []int{0, 1, 3, 1} {
		put(n)
	}
	files := h.verify(exitDegraded)
	if len(files) != 1 || len(files[0].Lost) != 1 || len(files[0].Doubled) != 1 {
		t.Fatalf("verify finds %+v, want one gap and one double", files)
	}
	if f := files[0]; f.Delivered != 24 || f.Lost[0].From != 16 || f.Lost[0].To != 24 || f.Lost[0].Known || f.Doubled[0].From != 8 || f.Doubled[0].To != 16 {
		t.Errorf("verify finds %+v, want the gap 16-24 and the double 8-16", f)
	}
	loghaul(t, "verify", "--brokers", h.broker).want(t, exitDegraded, "gaps or doubles in 1 of 1 generation: ", "lost: bytes 16-24")
	put(2)
	loghaul(t, "verify", "--brokers", h.broker).want(t, exitDegraded, "there twice: bytes 8-16")
	loghaul(t, "topic", "trim", "web_log", "--before", "2", "--yes", "--brokers", h.broker).want(t, exitDone)
	if files := h.verify(exitDone); len(files) != 1 || files[0].Expired != 8 || files[0].Delivered != 24 {
		t.Errorf("after a trim verify finds %+v", files)
	}
}

func TestVerifyEndsWhenTheBrokerStaysAway(t *testing.T) {
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "none", "--create-topics", "web_log:1")
	broker := b.ready()["broker"]
	loghaulWith(t, strings.Repeat("a line\n", 3), "produce", "web_log", "--brokers", broker).want(t, exitDone)
	loghaul(t, "topic", "trim", "web_log", "--before", "1", "--yes", "--brokers", broker).want(t, exitDone)
	cl := newCluster(kafka.Config{Brokers: []string{broker}})
	defer cl.Close()
	told, shown := 0, 0
	err := readAll(t.Context(), cl, "web_log", waits{func(error) { told++ }, 10 * time.Millisecond},
		func(int32, *record.Record) { shown++ }, func(int32) { b.end() }) // it is told where the records are, and goes
	if err == nil || !strings.Contains(err.Error(), "reading topic web_log: no broker for 10ms: run verify again") || told == 0 || shown > 0 {
		t.Errorf("told %d times that the broker is away, shown %d records, and then: %v", told, shown, err)
	}
}

func TestVerifyDoesNotCountAsExplainedWhatItCannotJudge(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.put(h.path("a.log"), "0123456\n0123456\n0123456\n")
	h.input("web", "")
	h.once()
	if err := os.RemoveAll(filepath.Join(h.dir, "agent", "journal")); err != nil {
		t.Fatal(err)
	}
	h.once()
	loghaul(t, "topic", "trim", "web_log", "--before", "2", "--yes", "--brokers", h.broker).want(t, exitDone)
	o := loghaul(t, "verify", "--brokers", h.broker).want(t, exitDone, "8 bytes acknowledged: each of them is explained", "16 bytes beside them cannot be judged: see NOTE")
	if !strings.Contains(o.stdout, "NOTE") || !strings.Contains(o.stdout, "the agent lost its journal once") {
		t.Errorf("the table is %s", o.stdout)
	}
}

func TestVerifyAfterATopicWasMadeAnew(t *testing.T) {
	h := newHost(t, "web_log:1")
	h.put(h.path("a.log"), "0123456\n0123456\n")
	h.input("web", "")
	h.once()
	loghaul(t, "topic", "delete", "web_log", "--yes", "--brokers", h.broker).want(t, exitDone)
	loghaul(t, "topic", "create", "web_log", "--partitions", "1", "--brokers", h.broker).want(t, exitDone)
	h.put(h.path("a.log"), "0123456\n0123456\n0123456\n")
	h.once()
	if files := h.verify(exitDone); len(files) != 1 || files[0].Expired != 16 || files[0].Delivered != 8 || files[0].Acked != 24 {
		t.Errorf("verify finds %+v, want 16 bytes expired and 8 delivered", files)
	}
}
