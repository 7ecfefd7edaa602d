package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// served lists every request and the versions that a broker says it serves.
func (r *running) served() []kmsg.ApiVersionsResponseApiKey {
	r.t.Helper()
	return call[*kmsg.ApiVersionsResponse](r.t, r.dial(), 2, kmsg.NewPtrApiVersionsRequest()).ApiKeys
}

// ask sends one request as bytes and says whether it was answered, or the connection closed; nothing else is right.
func ask(t testing.TB, addr string, key, version int16, flexible bool, body []byte) (answered bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = append(frame, 0, 0, 0, 1, 0, 1, 'f')
	if flexible {
		frame = append(frame, 0)
	}
	frame = append(frame, body...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err = readReply(bufio.NewReader(conn), nil); err == nil {
		return true
	}
	if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("request %s version %d with %d bytes %.60x: %v, want an answer or the connection closed", kmsg.NameForKey(key), version, len(body), body, err)
	}
	return false
}

// waits are requests that may rightly stay unanswered for long: a poll's time, a barrier's, and acks=0 has no answer.
var waits = map[int16]bool{0: true, 1: true, 11: true, 14: true}

// fill sets every text of a request to name, and makes each list one item long.
func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type().Field(i).Name != "UnknownTags" && v.Type().Field(i).Name != "Version" {
				fill(v.Field(i), name)
			}
		}
	case reflect.String:
		v.SetString(name)
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.ValueOf(&name))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	}
}

// TestBadNamesInEveryRequest puts names that are none wherever a request has a text, in its first and last version.
func TestBadNamesInEveryRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inner", "data")
	r := start(t, broker.Config{Data: dir})
	leave := r.neighbour()
	for _, key := range r.served() {
		if waits[key.ApiKey] {
			continue
		}
		for _, name := range []string{"..", "../../evil", "tab\tbell\x07nul\x00", strings.Repeat("x", 300), "\xff\xfe", ""} {
			for _, version := range []int16{key.MinVersion, key.MaxVersion} {
				req := kmsg.RequestForKey(key.ApiKey)
				req.SetVersion(version)
				fill(reflect.ValueOf(req).Elem(), name)
				ask(t, r.addr, key.ApiKey, version, req.IsFlexible(), req.AppendTo(nil))
			}
		}
	}
	leave()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "evil") || strings.Contains(e.Name(), "xxx") || strings.ContainsAny(e.Name(), "\t\x07") {
			t.Errorf("the data folder has %q", e.Name())
		}
	}
	if above, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(above) != 1 {
		t.Errorf("beside the data folder: %v, %v", above, err)
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x07\x00\xff") {
			t.Errorf("the log has a raw control character: %q", line)
		}
	}
}

func TestAHundredThousandUnknownTopicsAskedFor(t *testing.T) {
	r := start(t, broker.Config{Settings: map[string]string{"auto.create.topics.enable": "false"}})
	req := kmsg.NewPtrMetadataRequest()
	for i := range 100_000 {
		name := "t" + strings.Repeat("x", i%10) + string(rune('a'+i%26))
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	risen := memory()
	resp := call[*kmsg.MetadataResponse](t, r.dial(), 9, req)
	wantMemory(t, risen(), 300<<20)
	for _, topic := range resp.Topics {
		if topic.ErrorCode != 3 {
			t.Fatalf("%s: code %d, want 3", *topic.Topic, topic.ErrorCode)
		}
	}
}

// openForFuzz runs one broker for all that a fuzzer sends.
func openForFuzz(f *testing.F) *broker.Broker {
	b, err := broker.New(broker.Config{Data: f.TempDir(), Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Errorf("the broker ended with %v", err)
		}
	})
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		f.Fatalf("the broker ended before it was ready: %v", err)
	}
	return b
}

// FuzzRequests sends any body as any request in any version to a running broker, which must answer or close the
// connection, and still serve afterwards.
func FuzzRequests(f *testing.F) {
	b := openForFuzz(f)
	for key := range int16(100) {
		req := kmsg.RequestForKey(key)
		if req == nil {
			continue
		}
		for _, version := range []int16{0, req.MaxVersion() / 2, req.MaxVersion()} {
			req.SetVersion(version)
			f.Add(key, version, req.AppendTo(nil))
			f.Add(key, version, []byte{})
			f.Add(key, version, make([]byte, 64))
			fill(reflect.ValueOf(req).Elem(), "name")
			whole := req.AppendTo(nil)
			f.Add(key, version, whole)
			f.Add(key, version, whole[:len(whole)/2])
			f.Add(key, version, append(whole, 1, 2, 3))
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if waits[key] || len(body) > 1<<16 {
			return
		}
		flexible := false
		if req := kmsg.RequestForKey(key); req != nil {
			req.SetVersion(version)
			flexible = req.IsFlexible()
		}
		ask(t, b.Addr(), key, version, flexible, body)
		if !ask(t, b.Addr(), 3, 0, false, []byte{0, 0, 0, 0}) {
			t.Error("the broker answers nobody any more")
		}
	})
}
