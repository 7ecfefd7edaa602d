package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cluster(t *testing.T, opts ...kfake.Opt) Config {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, "web_log")}, opts...)...)
	if err != nil {
		t.Fatalf("starting a cluster: %v", err)
	}
	t.Cleanup(c.Close)
	return Config{Brokers: c.ListenAddrs()}
}

func topicsOf(t *testing.T, c Config) []kmsg.MetadataResponseTopic {
	t.Helper()
	conn, err := c.Dial(t.Context(), c.Brokers[0])
	if err != nil {
		t.Fatalf("dialling: %v", err)
	}
	defer conn.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	resp, err := conn.Call(t.Context(), req)
	if err != nil {
		t.Fatalf("asking for metadata: %v", err)
	}
	return resp.(*kmsg.MetadataResponse).Topics
}

func TestARequestGetsItsAnswer(t *testing.T) {
	if got := topicsOf(t, cluster(t)); len(got) != 1 || *got[0].Topic != "web_log" || len(got[0].Partitions) != 2 {
		t.Fatalf("want web_log with 2 partitions, got %+v", got)
	}
}

func TestPipelinedAnswersComeInOrder(t *testing.T) {
	c := cluster(t)
	conn, err := c.Dial(t.Context(), c.Brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got := make(chan int, 50)
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version = 4
	for i := range 50 {
		err := conn.Send(req.Key(), 4, net.Buffers{req.AppendTo(nil)}, func(b []byte, err error) {
			if err != nil || len(b) == 0 {
				t.Errorf("answer %d: %d bytes, %v", i, len(b), err)
			}
			got <- i
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		if n := <-got; n != i {
			t.Fatalf("answer %d came in place %d", n, i)
		}
	}
}

func TestEverySASLMechanismEnters(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		c := cluster(t, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "ali", "open sesame"))
		c.SASL, c.User, c.PasswordFile = mechanism, "ali", password
		if got := topicsOf(t, c); len(got) != 1 {
			t.Errorf("%s: got topics %+v", mechanism, got)
		}
		settings, err := c.Sarama()
		if err != nil {
			t.Fatalf("%s: sarama: %v", mechanism, err)
		}
		client, err := sarama.NewClient(c.Brokers, settings)
		if err != nil {
			t.Fatalf("%s: sarama: %v", mechanism, err)
		}
		client.Close()
		c.User = "cassim"
		if conn, err := c.Dial(t.Context(), c.Brokers[0]); err == nil {
			conn.Close()
			t.Errorf("%s: a stranger came in", mechanism)
		} else if !strings.Contains(err.Error(), "cassim") {
			t.Errorf("%s: the refusal does not name the user: %v", mechanism, err)
		}
	}
}

// silent accepts one connection and gives it to the test.
func silent(t *testing.T) (addr string, accepted chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), accepted
}

func send(t *testing.T, conn *Conn) chan error {
	t.Helper()
	got := make(chan error, 1)
	if err := conn.Send(0, 7, net.Buffers{[]byte("body")}, func(_ []byte, err error) { got <- err }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestABrokerThatNeverAnswersDoesNotHangUs(t *testing.T) {
	addr, accepted := silent(t)
	conn, err := Config{RequestTimeout: 50 * time.Millisecond}.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer func() { (<-accepted).Close() }()
	if err := <-send(t, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("want a deadline, got %v", err)
	}
}

func TestWhoWaitsIsToldWhenTheBrokerGoes(t *testing.T) {
	addr, accepted := silent(t)
	conn, err := Config{}.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	first, second := send(t, conn), send(t, conn)
	(<-accepted).Close()
	if a, b := <-first, <-second; a == nil || b == nil {
		t.Errorf("want an error for both who waited, got %v and %v", a, b)
	}
	<-conn.Dead()
	if err := conn.Send(0, 7, nil, nil); err == nil {
		t.Error("a dead connection took a request")
	}
}

func TestClosingTellsWhoWaits(t *testing.T) {
	addr, accepted := silent(t)
	conn, err := Config{}.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { (<-accepted).Close() }()
	got := send(t, conn)
	conn.Close()
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("want ErrClosed, got %v", err)
	}
}

func TestAnAnswerThatNobodyAskedForEndsTheConnection(t *testing.T) {
	for name, answer := range map[string]string{
		"wrong number": "\x00\x00\x00\x05\x00\x00\x00\x63x", "http": "HTTP/1.1 400 Bad Request\r\n\r\n", "negative": "\xff\xff\xff\xff\x00\x00\x00\x01",
	} {
		addr, accepted := silent(t)
		conn, err := Config{}.Dial(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		got, peer := send(t, conn), <-accepted
		io.WriteString(peer, answer)
		if err := <-got; err == nil {
			t.Errorf("%s: want an error, got none", name)
		}
		conn.Close()
		peer.Close()
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	addr, accepted := silent(t)
	conn, err := Config{}.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer func() { (<-accepted).Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.Call(ctx, kmsg.NewPtrMetadataRequest()); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
}

func TestEveryComplaintAboutTheSettingsIsListed(t *testing.T) {
	err := Config{Brokers: []string{"nowhere", ":9092"}, Cert: "a.pem", SASL: "gssapi"}.Validate()
	for _, want := range []string{`"nowhere"`, `":9092"`, "kafka-key", `"gssapi"`, "kafka-user"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the complaint lacks %s: %v", want, err)
		}
	}
}

func TestSaramaDoesNotOutwaitItsContext(t *testing.T) {
	addr, accepted := silent(t)
	defer func() { (<-accepted).Close() }()
	settings, err := Config{}.Sarama()
	if err != nil {
		t.Fatal(err)
	}
	settings.Metadata.Retry.Max = 0
	ctx, cancel := context.WithCancel(t.Context())
	EndWith(ctx, settings)
	failed := make(chan error, 1)
	go func() {
		client, err := sarama.NewClient([]string{addr}, settings)
		if err == nil {
			client.Close()
		}
		failed <- err
	}()
	peer := <-accepted // it has connected and waits for an answer that never comes
	accepted <- peer
	cancel()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("a broker that says nothing was taken for a cluster")
		}
	case <-time.After(20 * time.Second): // the request's own timeout is a minute
		t.Fatal("sarama still waits after its context has ended")
	}
}
