package broker_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterID asks for the cluster's id.
func (r *running) clusterID() string {
	r.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	id := call[*kmsg.MetadataResponse](r.t, r.dial(), 9, req).ClusterID
	if id == nil {
		r.t.Fatal("no cluster id")
	}
	return *id
}

func TestGarbageClosesTheConnectionWithOneLine(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	served := r.dial() // somebody who behaves
	for sent, says := range map[string]string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n":                "an HTTP request",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03":                 "a TLS hello",
		"\xff\xff\xff\xff garbage":                                 "a negative length",
		"\x7f\xff\xff\xff garbage":                                 "a length of 2147483647",
		"\x00\x00\x00\x0a\x00\x03\x00\x09\x00\x00\x00\x01\x7f\xff": "malformed",
	} {
		conn := r.raw()
		if _, err := conn.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Errorf("%q: %v, want the connection closed", sent, err)
		}
		peer := conn.LocalAddr().String()
		eventually(t, "one line about "+peer, func() bool { return r.log.count(peer) == 1 })
		if !strings.Contains(r.log.String(), says) {
			t.Errorf("%q: the log does not say %q", sent, says)
		}
		if got := put(t, served, 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None)); got.ErrorCode != 0 {
			t.Errorf("after %q another client gets code %d", sent, got.ErrorCode)
		}
	}
}

func TestRandomBytesHarmNobody(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	rnd := rand.New(rand.NewPCG(1, 2))
	for key := range int16(70) {
		for version := range int16(14) {
			conn := r.raw()
			body := make([]byte, rnd.IntN(200))
			for i := range body {
				body[i] = byte(rnd.Uint32()) & byte(rnd.Uint32()) // many zeros: deeper into the decoders
			}
			frame := append([]byte{0, 0, byte((10 + len(body)) >> 8), byte(10 + len(body)), byte(key >> 8), byte(key), 0, byte(version), 0, 0, 0, 1, 0xff, 0xff}, body...)
			if _, err := conn.Write(frame); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
	if got := put(t, r.dial(), 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None)); got.ErrorCode != 0 {
		t.Errorf("afterwards a client gets code %d", got.ErrorCode)
	}
	if n := strings.Count(r.log.String(), "\n"); n > 100 {
		t.Errorf("%d log lines, want few", n)
	}
}

func TestAnnouncedFramesTakeNoMemory(t *testing.T) {
	r := start(t, broker.Config{CreateTopics: []string{"web_log:1"}})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100 { // 90 MiB each
		if _, err := r.raw().Write([]byte{5, 160, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if got := put(t, r.dial(), 7, "web_log", 0, -1, seal(t, 1, record.NoProducer, record.None)); got.ErrorCode != 0 {
		t.Errorf("meanwhile a client gets code %d", got.ErrorCode)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("100 announced frames took %d MiB", grown>>20)
	}
}

func TestBadTopicNames(t *testing.T) {
	r := start(t, broker.Config{})
	conn := r.dial()
	for _, name := range []string{"", ".", "..", "web/log", "../x", "tab\t", strings.Repeat("x", 250), "naïve"} {
		meta := kmsg.NewPtrMetadataRequest()
		meta.AllowAutoTopicCreation = true
		meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
		if code := call[*kmsg.MetadataResponse](t, conn, 9, meta).Topics[0].ErrorCode; code != 17 {
			t.Errorf("Metadata of %q: code %d, want 17", name, code)
		}
		create := kmsg.NewPtrCreateTopicsRequest()
		create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: name, NumPartitions: 1, ReplicationFactor: 1}}
		if got := call[*kmsg.CreateTopicsResponse](t, conn, 5, create).Topics[0]; got.ErrorCode != 17 || got.ErrorMessage == nil {
			t.Errorf("CreateTopics of %q: code %d, message %v, want 17 and a sentence", name, got.ErrorCode, got.ErrorMessage)
		}
	}
}

func TestAutoCreationObeysItsSwitches(t *testing.T) {
	ask := func(r *running, version int16, allow bool, name string) kmsg.MetadataResponseTopic {
		meta := kmsg.NewPtrMetadataRequest()
		meta.AllowAutoTopicCreation = allow
		meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
		return call[*kmsg.MetadataResponse](t, r.dial(), version, meta).Topics[0]
	}
	r := start(t, broker.Config{Settings: map[string]string{"num.partitions": "3"}})
	if got := ask(r, 4, false, "a"); got.ErrorCode != 3 {
		t.Errorf("the client forbids it: code %d, want 3", got.ErrorCode)
	}
	if got := ask(r, 0, false, "a"); got.ErrorCode != 0 || len(got.Partitions) != 3 {
		t.Errorf("version 0 always allows it: code %d, %d partitions", got.ErrorCode, len(got.Partitions))
	}
	if got := ask(r, 13, true, "b"); got.ErrorCode != 0 || len(got.Partitions) != 3 || got.TopicID == [16]byte{} {
		t.Errorf("the client allows it: %+v", got)
	}
	r = start(t, broker.Config{Settings: map[string]string{"auto.create.topics.enable": "false"}})
	if got := ask(r, 4, true, "a"); got.ErrorCode != 3 {
		t.Errorf("the broker forbids it: code %d, want 3", got.ErrorCode)
	}
}

func TestBusyPortNamesWhoHasIt(t *testing.T) {
	r := start(t, broker.Config{})
	b, err := broker.New(broker.Config{Data: t.TempDir(), Listen: []string{r.addr}})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "listening on "+r.addr+": address in use") || !strings.Contains(err.Error(), "choose another with --broker-listen") {
		t.Errorf("got %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), fmt.Sprintf("by pid %d", os.Getpid())) {
		t.Errorf("got %v, want our pid", err)
	}
}

func TestLockedFolderNamesWhoHasIt(t *testing.T) {
	dir := t.TempDir()
	r := start(t, broker.Config{Data: dir})
	b, err := broker.New(broker.Config{Data: dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Run(t.Context())
	for _, want := range []string{dir, fmt.Sprintf("pid %d", os.Getpid()), "--data"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s in it", err, want)
		}
	}
	if r.clusterID() == "" {
		t.Error("the first broker does not serve any more")
	}
}

func TestConfigurationComplainsAboutEverythingAtOnce(t *testing.T) {
	_, err := broker.New(broker.Config{Listen: []string{"localhost"}, Advertise: []string{":0"}, CreateTopics: []string{"web/log:1", "x", "y:0", "z:1:1:burn"},
		Settings: map[string]string{"num.partion": "1"}})
	for _, want := range []string{"--data must name a folder", `--broker-listen ("localhost")`, `--advertise (":0")`, `web/log`, `"x"`, `"y:0"): "0" must be a number of partitions, at least 1`, `"z:1:1:burn"`, `did you mean "num.partitions"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestListeningBeyondTheMachineIsSaidLoudly(t *testing.T) {
	r := start(t, broker.Config{Listen: []string{"0.0.0.0:0"}, Settings: map[string]string{"zookeeper.connect": "x:2181"}})
	if r.log.count("LISTENING BEYOND THIS MACHINE") != 1 || r.log.count("zookeeper.connect") != 1 {
		t.Errorf("the log says\n%s", r.log)
	}
	if quiet := start(t, broker.Config{}); quiet.log.count("LISTENING") != 0 {
		t.Error("a broker on 127.0.0.1 warns too")
	}
}

func TestClientsAreToldWhatTheyDialledOrWhatIsAdvertised(t *testing.T) {
	told := func(r *running) string {
		b := call[*kmsg.MetadataResponse](t, r.dial(), 9, kmsg.NewPtrMetadataRequest()).Brokers[0]
		return fmt.Sprintf("%s:%d", b.Host, b.Port)
	}
	if r := start(t, broker.Config{}); told(r) != r.addr {
		t.Errorf("told %s, dialled %s", told(r), r.addr)
	}
	r := start(t, broker.Config{Listen: []string{"IN://127.0.0.1:0", "OUT://127.0.0.1:0"}, Advertise: []string{"OUT://logs.example:9094", "IN://10.0.0.7:9093"}})
	if got := told(r); got != "10.0.0.7:9093" {
		t.Errorf("told %s, advertised is 10.0.0.7:9093", got)
	}
}

func TestTopicsMadeAtTheStart(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second start finds them
		r := start(t, broker.Config{Data: dir, CreateTopics: []string{"web_log:3", "state:1:3:compact"}})
		list := call[*kmsg.MetadataResponse](t, r.dial(), 9, kmsg.NewPtrMetadataRequest()).Topics
		var names []string
		for _, topic := range list {
			names = append(names, fmt.Sprintf("%s:%d", *topic.Topic, len(topic.Partitions)))
		}
		if want := []string{"__consumer_offsets:1", "__transaction_state:1", "state:1", "web_log:3"}; !slices.Equal(names, want) {
			t.Errorf("topics are %q, want %q", names, want)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
