package broker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// diskState is what loghaul.disk says.
type diskState struct {
	Used    int64
	Folder  string
	Budget  int64
	Free    int64
	OnFull  string `json:"on_full"`
	Full    bool
	Why     string
	Blocked []struct {
		Group, Topic, Why string
		Partition         int32
		Lag               int64 `json:"lag_records"`
	}
	Dropped []struct {
		Topic          string
		Records, Bytes int64
	}
}

// disk asks the broker how its disk stands.
func (r *running) disk(conn *kafka.Conn) (s diskState) {
	r.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeBroker, "1", []string{"loghaul.disk"}
	req.Resources = append(req.Resources, resource)
	resp, err := conn.Call(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	configs := resp.(*kmsg.DescribeConfigsResponse).Resources[0].Configs
	if len(configs) != 1 || !configs[0].ReadOnly {
		r.t.Fatalf("asked for loghaul.disk and got %+v", configs)
	}
	if err := json.Unmarshal([]byte(*configs[0].Value), &s); err != nil {
		r.t.Fatalf("%s: %v", *configs[0].Value, err)
	}
	return s
}

// fill produces batches until one is refused, and says how many were taken and why that one was not.
func (r *running) fill(conn *kafka.Conn, topic string, batch []byte) (taken int, why string) {
	r.t.Helper()
	for ; taken < 1000; taken++ {
		switch got := put(r.t, conn, 8, topic, 0, 1, batch); {
		case got.ErrorCode == 19 && got.ErrorMessage != nil:
			return taken, *got.ErrorMessage
		case got.ErrorCode != 0:
			r.t.Fatalf("batch %d: code %d", taken, got.ErrorCode)
		}
	}
	r.t.Fatalf("%d batches fit into the budget", taken)
	return 0, ""
}

const megabyte = 1 << 20

// budgeted is a broker that may keep 4 MiB.
func budgeted(t *testing.T, onFull string, claims ...broker.SinkClaim) *running {
	t.Helper()
	return start(t, broker.Config{CreateTopics: []string{"web_log:1"}, DiskBudget: 4 * megabyte, OnFull: onFull,
		Claims: func() ([]broker.SinkClaim, bool) { return claims, true }})
}

func TestAGroupThatLagsStopsWritersWhenTheBudgetIsUsedUp(t *testing.T) {
	r := budgeted(t, "block")
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.commitAt("readers", "web_log", 2000)
	taken, why := r.fill(conn, "web_log", batch)
	if used := int64(taken * len(batch)); used > 4*megabyte*95/100 || used < 4*megabyte*90/100 {
		t.Errorf("%d bytes were taken of a budget of %d, want up to the reserve of a twentieth", used, 4*megabyte)
	}
	for _, want := range []string{"web_log-0", "group readers has still to commit " + fmt.Sprint(taken*2000-2000) + " records", "budget of 4.0 MiB", "loghaul group delete readers"} {
		if !strings.Contains(why, want) {
			t.Errorf("refused with %q, want %q in it", why, want)
		}
	}
	if n := r.log.count("group readers has still to commit"); n != 1 {
		t.Errorf("%d lines name the group, want one", n)
	}
	s := r.disk(conn)
	if len(s.Blocked) != 1 || s.Blocked[0].Group != "readers" || s.Blocked[0].Lag != int64(taken*2000-2000) || s.Budget != 4*megabyte || s.OnFull != "block" || s.Why == "" {
		t.Errorf("the state is %+v, want the group with its lag", s)
	}
	if n := len(r.consume("web_log", taken*2000)); n != taken*2000 {
		t.Errorf("%d records are readable, want all %d that were taken", n, taken*2000)
	}
	r.commitAt("readers", "web_log", int64(taken*2000))
	eventually(t, "writing to go on", func() bool { return put(t, conn, 8, "web_log", 0, -1, batch).ErrorCode == 0 })
	if n := r.log.count("writing goes on"); n != 1 {
		t.Errorf("%d lines say that writing goes on, want one", n)
	}
	if s := r.disk(conn); len(s.Blocked) != 0 || s.Why != "" {
		t.Errorf("afterwards the state is %+v, want nobody blocking", s)
	}
}

func TestWhatEveryGroupHasCommittedMakesRoomForWhatComes(t *testing.T) {
	r := budgeted(t, "block")
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	for i := range 300 { // several times the budget
		if got := put(t, conn, 8, "web_log", 0, 1, batch); got.ErrorCode != 0 {
			t.Fatalf("batch %d: code %d, %v", i, got.ErrorCode, *got.ErrorMessage)
		}
		r.commitAt("readers", "web_log", int64(2000*i)) // one batch behind
	}
	if int64(300*len(batch)) < 8*megabyte {
		t.Fatalf("%d batches of %d bytes are no test", 300, len(batch))
	}
	if s := r.disk(conn); s.Used > 4*megabyte {
		t.Errorf("%d bytes are used of %d", s.Used, s.Budget)
	}
	if got := start0(t, conn, "web_log"); got == 0 || got > 2000*299 {
		t.Errorf("the log begins at %d, want after what was deleted and not after what is committed", got)
	}
}

// start0 is where partition 0 of a topic begins.
func start0(t *testing.T, conn *kafka.Conn, topic string) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp = -2
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return call[*kmsg.ListOffsetsResponse](t, conn, 6, req).Topics[0].Partitions[0].Offset
}

func TestATopicThatNobodyReadsIsNotDeletedForRoom(t *testing.T) {
	r := budgeted(t, "")
	conn := r.dial()
	taken, why := r.fill(conn, "web_log", seal(t, 2000, record.NoProducer, record.None))
	if !strings.Contains(why, "nobody reads topic web_log") || !strings.Contains(why, "loghaul topic trim web_log") {
		t.Errorf("refused with %q, want the topic and the mend", why)
	}
	if n := len(r.consume("web_log", taken*2000)); n != taken*2000 {
		t.Errorf("%d records are readable, want %d", n, taken*2000)
	}
}

func TestASinkInItsPlaceHoldsWhatItsGroupHasNotCommitted(t *testing.T) {
	claim := broker.SinkClaim{Sink: "es", Group: "loghaul-es", Takes: func(topic string) bool { return topic == "web_log" },
		Letters: func(topic string) bool { return topic == "bad_lines" }}
	r := budgeted(t, "block", claim)
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.commitAt("readers", "web_log", 1<<40) // has read all that will come; the sink's group has never been seen
	_, why := r.fill(conn, "web_log", batch)
	if !strings.Contains(why, "group loghaul-es") || !strings.Contains(why, "transfer of sink es runs") {
		t.Errorf("refused with %q, want the sink's group and the mend", why)
	}
	r.produceTo("bad_lines")
	r.produceTo("web_log.dlq")
	r.commitAt("loghaul-es", "web_log", 1)
	r.produceTo("web_log.dlq")
	if got := put(t, conn, 8, "web_log", 0, -1, batch); got.ErrorCode != 19 {
		t.Errorf("a client's batch: code %d, want it to wait while dead letters are taken", got.ErrorCode)
	}
}

// produceTo sends one small record, for which even the reserve has room.
func (r *running) produceTo(topic string) {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	r.produce(cl, topic, 0, 1)
}

func TestDeadLettersEndWithTheReserve(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1", "web_log.dlq:1"}, DiskBudget: 4 * megabyte})
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.commitAt("readers", "web_log", 0)
	r.fill(conn, "web_log", batch)
	taken, why := r.fill(conn, "web_log.dlq", batch)
	if size := int64(taken * len(batch)); size == 0 || size > 4*megabyte/10 {
		t.Errorf("%d bytes of dead letters were taken, want about the reserve of %d", size, 4*megabyte/20)
	}
	if !strings.Contains(why, "the reserve for dead letters too") {
		t.Errorf("refused with %q", why)
	}
	r.commitAt("readers", "web_log", 2000) // commits ask nobody
}

func TestDropOldestKeepsWriting(t *testing.T) {
	r := budgeted(t, "drop-oldest")
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.commitAt("readers", "web_log", 0)
	for i := range 300 {
		if got := put(t, conn, 8, "web_log", 0, 1, batch); got.ErrorCode != 0 {
			t.Fatalf("batch %d: code %d, %v", i, got.ErrorCode, *got.ErrorMessage)
		}
	}
	var s diskState
	eventually(t, "a drop that is under way is booked: every record before the log's start, and no other", func() bool {
		s = r.disk(conn)
		begin := start0(t, conn, "web_log")
		return len(s.Dropped) == 1 && s.Dropped[0].Topic == "web_log" && s.Dropped[0].Records == begin && begin > 0
	})
	if s.Used > 4*megabyte || s.Used < 3*megabyte || s.Dropped[0].Bytes < 3*megabyte {
		t.Errorf("%d bytes are used of %d and %d are dropped, want most of it used", s.Used, s.Budget, s.Dropped[0].Bytes)
	}
	if r.log.count("dropped the oldest records to make room") == 0 {
		t.Error("no line says what was dropped")
	}
	if len(s.Blocked) != 0 {
		t.Errorf("%v block", s.Blocked)
	}
}

func TestNothingIsDeletedForRoomBeforeTheSinksAreKnown(t *testing.T) {
	known := make(chan struct{})
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}, DiskBudget: 4 * megabyte, Claims: func() ([]broker.SinkClaim, bool) {
		select {
		case <-known:
			return nil, true
		default:
			return nil, false
		}
	}})
	conn := r.dial()
	r.commitAt("readers", "web_log", 1<<40)
	_, why := r.fill(conn, "web_log", seal(t, 2000, record.NoProducer, record.None))
	if !strings.Contains(why, "does not know yet which sinks there are") || start0(t, conn, "web_log") != 0 {
		t.Errorf("refused with %q, and the log begins at %d", why, start0(t, conn, "web_log"))
	}
	close(known)
	eventually(t, "writing to go on", func() bool {
		return put(t, conn, 8, "web_log", 0, -1, seal(t, 10, record.NoProducer, record.None)).ErrorCode == 0
	})
}

func TestABudgetCountsWhatIsThereAtTheStart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:1"}, DiskBudget: 4 * megabyte})
	conn := r.dial()
	batch := seal(t, 2000, record.NoProducer, record.None)
	r.fill(conn, "web_log", batch)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: dir, DiskBudget: 4 * megabyte})
	began := time.Now()
	if got := put(t, r.dial(), 8, "web_log", 0, -1, batch); got.ErrorCode != 19 {
		t.Errorf("code %d after the restart, want 19", got.ErrorCode)
	}
	t.Logf("refused after %s", time.Since(began))
}

func TestABrokerRefusesBudgetsItCannotKeep(t *testing.T) {
	for want, cfg := range map[string]broker.Config{
		"--disk-budget (1000) must be at least 4MiB": {DiskBudget: 1000},
		"--on-full (panic) must be block or drop":    {OnFull: "panic", DiskBudget: 4 * megabyte},
		"--on-full drop-oldest needs --disk-budget":  {OnFull: "drop-oldest"},
	} {
		cfg.Data = t.TempDir()
		if _, err := broker.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
