package broker

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/loghaul/loghaul/broker/certs"
	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/users"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/loghaul/loghaul/internal/testca"
)

// served runs one connection of a door over a pipe and returns the client's end, what is logged, and how long the
// connection lasted.
func served(t *testing.T, d *door) (client net.Conn, log *strings.Builder, lasted func() time.Duration) {
	t.Helper()
	settings, err := topics.NewSettings(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	log = &strings.Builder{}
	s := &server{settings: settings, metrics: m, log: &quietLog{log: slog.New(slog.NewTextHandler(log, nil))}, maxFrame: 1 << 20, idle: time.Hour,
		budget: wire.NewBudget(1<<20, 1<<20), answers: newAnswerRoom(4 << 20), handlers: handle.New(handle.Config{})}
	client, raw := net.Pipe()
	began, ended := time.Now(), make(chan time.Duration)
	go func() {
		connect(s, raw, d).serve(t.Context())
		ended <- time.Since(began)
	}()
	return client, log, func() time.Duration {
		defer client.Close()
		return <-ended
	}
}

// askVersions sends ApiVersions v0 and reads the answer.
func askVersions(conn net.Conn) error {
	if _, err := conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:])))
	return err
}

func TestWhoKeepsAskingButNeverLogsInIsCutOff(t *testing.T) {
	known, err := users.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		conn, log, lasted := served(t, &door{endpoint: endpoint{name: "IN"}, sasl: &handle.SASL{Users: known, Mechanisms: users.Mechanisms(), MaxRequest: 4096}})
		for askVersions(conn) == nil { // it looks busy
			time.Sleep(time.Second)
		}
		if d := lasted(); d < loginTime || d > loginTime+2*time.Second || !strings.Contains(log.String(), "did not log in within 30s") {
			t.Errorf("cut off after %v, and the log says %s", d, log)
		}
	})
}

func TestWhoNeedNotLogInMayBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, log, lasted := served(t, &door{endpoint: endpoint{name: "IN"}})
		for range 100 {
			if err := askVersions(conn); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		conn.Close()
		if d := lasted(); d != 100*time.Second || log.Len() > 0 {
			t.Errorf("ended after %v, and the log says %s", d, log)
		}
	})
}

func TestWhoNeverShakesHandsIsCutOff(t *testing.T) {
	store := testca.New(t).Store("broker")
	synctest.Test(t, func(t *testing.T) {
		c, err := certs.Open(certs.Config{Setting: func(name string) string {
			return map[string]string{"ssl.keystore.location": store}[name]
		}})
		if err != nil {
			t.Fatal(err)
		}
		conn, log, lasted := served(t, &door{endpoint: endpoint{name: "IN"}, certs: c})
		for _, b := range []byte("\x16\x03\x01\x02\x00\x01\x00\x01") { // a byte now and then
			if _, err := conn.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(2 * time.Second)
		}
		if d := lasted(); d != handshakeTime || !strings.Contains(log.String(), "shaking hands took more than 10s") {
			t.Errorf("cut off after %v, and the log says %s", d, log)
		}
	})
}
