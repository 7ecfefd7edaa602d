package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestWhatIsProducedIsConsumedInOrder(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	in := numbered(5000) + strings.Repeat("long ", 100_000) + "\r\n" + "no newline at the end"
	loghaulWith(t, in, "produce", "t", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitDone)
	if want := strings.ReplaceAll(in, "\r\n", "\n") + "\n"; o.stdout != want {
		t.Errorf("consume printed %d bytes, want the %d that were produced", len(o.stdout), len(want))
	}
}

func TestALineTooLongForTheTopicIsNamed(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	in := "one\n" + strings.Repeat("x", 2<<20) + "\nthree\n"
	loghaulWith(t, in, "produce", "t", "--brokers", at).want(t, exitFailed, "line 2 of standard input is longer", "max.message.bytes", "1 record sent before")
	if o := loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitDone); o.stdout != "one\n" {
		t.Errorf("consume printed %q, want the line before", o.stdout)
	}
}

func TestKeysHeadersAndPartitions(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(3, "t"))
	loghaulWith(t, "a\n", "produce", "t", "--key", "k", "--header", "app=nginx", "--header", "x=1=2", "--brokers", at).want(t, exitDone)
	loghaulWith(t, "b\n", "produce", "t", "--partition", "1", "--acks", "1", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "consume", "t", "--follow=false", "--format", `%t|%k|%h|%s\n`, "--grep", "^a", "--brokers", at).want(t, exitDone)
	if o.stdout != "t|k|app=nginx,x=1=2|a\n" {
		t.Errorf("consume printed %q", o.stdout)
	}
	o = loghaul(t, "consume", "t", "--follow=false", "--format", `%p@%o %s\n`, "--grep", "b", "--brokers", at).want(t, exitDone)
	if o.stdout != "1@0 b\n" {
		t.Errorf("consume printed %q, want it in partition 1", o.stdout)
	}
	loghaulWith(t, "c\n", "produce", "t", "--partition", "7", "--brokers", at).want(t, exitFailed, "the topic has 3")
	loghaul(t, "consume", "nothing", "--follow=false", "--brokers", at).want(t, exitFailed, "topic nothing does not exist")
}

func TestFromAndTo(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	loghaulWith(t, numbered(10), "produce", "t", "--brokers", at).want(t, exitDone)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--from", "7"}, "7,8,9,"},
		{[]string{"--from", "-2"}, "8,9,"},
		{[]string{"--from", "-200", "--to", "1"}, "0,"},
		{[]string{"--from", "end"}, ""},
		{[]string{"--from", "3", "--to", "5"}, "3,4,"},
		{[]string{"--from", "3", "--to", "-5"}, "3,4,"},
		{[]string{"--to", "beginning"}, ""},
		{[]string{"--from", "8", "--to", "end"}, "8,9,"},
		{[]string{"--from", "1h", "-n", "2"}, "0,1,"},
		{[]string{"--from", "2100-01-01"}, ""},
		{[]string{"--to", "1h"}, ""},
		{[]string{"--from", "500"}, ""},
		{[]string{"--to", "500", "--from", "9"}, "9,"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			args := append([]string{"consume", "t", "--follow=false", "--format", "%o,", "--brokers", at}, c.args...)
			if o := loghaul(t, args...).want(t, exitDone); o.stdout != c.want {
				t.Errorf("printed %q, want %q", o.stdout, c.want)
			}
		})
	}
}

func TestCountIsOverAllPartitions(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(3, "t"))
	loghaulWith(t, numbered(90), "produce", "t", "--brokers", at).want(t, exitDone)
	o := loghaul(t, "consume", "t", "-n", "50", "--brokers", at).want(t, exitDone)
	if n := strings.Count(o.stdout, "\n"); n != 50 {
		t.Errorf("-n 50 printed %d records", n)
	}
	o = loghaul(t, "consume", "t", "-n", "500", "--follow=false", "--brokers", at).want(t, exitDone)
	if n := strings.Count(o.stdout, "\n"); n != 90 {
		t.Errorf("-n 500 --follow=false printed %d records of 90", n)
	}
}

func TestFollowingShowsWhatComesLater(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	loghaulWith(t, "early\n", "produce", "t", "--brokers", at).want(t, exitDone)
	c := begin(t, strings.NewReader(""), "consume", "t", "--brokers", at)
	c.until(&c.stdout, "early\n")
	loghaulWith(t, "late\n", "produce", "t", "--brokers", at).want(t, exitDone)
	c.until(&c.stdout, "early\nlate\n")
	c.end()
}

func TestAGroupGoesOnWhereItCommitted(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(2, "t"))
	loghaulWith(t, numbered(100), "produce", "t", "--brokers", at).want(t, exitDone)
	group := []string{"consume", "t", "--group", "g", "--follow=false", "--brokers", at}
	seen := map[string]int{}
	for _, part := range []struct {
		args []string
		n    int
	}{{[]string{"-n", "30"}, 30}, {[]string{"-n", "30"}, 30}, {nil, 40}, {nil, 0}} {
		o := loghaul(t, append(group, part.args...)...).want(t, exitDone)
		lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
		if n := strings.Count(o.stdout, "\n"); n != part.n {
			t.Fatalf("%v printed %d records, want %d", part.args, n, part.n)
		}
		for _, l := range lines[:part.n] {
			seen[l]++
		}
	}
	for l, n := range seen {
		if n != 1 {
			t.Errorf("%q was shown %d times", l, n)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d lines were shown, want 100", len(seen))
	}
	loghaul(t, append(group, "--from", "-3")...).want(t, exitUsage, "with --group it is beginning or end")
	loghaul(t, append(group, "--to", "3")...).want(t, exitUsage, "--to does not go with --group")
}

func TestAbortedTransactionsAreNotShown(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(at, ",")...), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, tx := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"kept 1", kgo.TryCommit}, {"aborted", kgo.TryAbort}, {"kept 2", kgo.TryCommit}} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(tx.value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), tx.end); err != nil {
			t.Fatal(err)
		}
	}
	o := loghaul(t, "consume", "t", "--follow=false", "--brokers", at).want(t, exitDone)
	if o.stdout != "kept 1\nkept 2\n" {
		t.Errorf("consume printed %q, want only what was committed", o.stdout)
	}
	o = loghaul(t, "consume", "t", "--group", "g", "--follow=false", "--brokers", at).want(t, exitDone)
	if o.stdout != "kept 1\nkept 2\n" {
		t.Errorf("consume --group printed %q, want only what was committed", o.stdout)
	}
}

func TestAReaderThatGoesAwayIsNoError(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	loghaulWith(t, numbered(10), "produce", "t", "--brokers", at).want(t, exitDone)
	var talk safeBuffer
	code := Run(t.Context(), []string{"consume", "t", "--brokers", at}, Streams{Stdout: closedPipe{}, Stderr: &talk})
	if code != exitDone || talk.String() != "" {
		t.Errorf("exit code %d, said %q, want a quiet end", code, talk.String())
	}
}

func TestProduceEndsWhileItsInputIsOpen(t *testing.T) {
	at := brokers(t, kfake.SeedTopics(1, "t"))
	in, out := io.Pipe()
	defer out.Close()
	p := begin(t, in, "produce", "t", "--brokers", at)
	if _, err := io.WriteString(out, "typed\n"); err != nil {
		t.Fatal(err)
	}
	o := loghaul(t, "consume", "t", "-n", "1", "--brokers", at).want(t, exitDone)
	if o.stdout != "typed\n" {
		t.Errorf("consume printed %q", o.stdout)
	}
	p.end()
}
