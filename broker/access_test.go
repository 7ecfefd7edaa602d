package broker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/loghaul/loghaul/broker"
	"github.com/loghaul/loghaul/internal/kafka"
	"github.com/loghaul/loghaul/internal/testca"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// guarded is a broker with access control and the users root (who may do everything), alice and bob.
func guarded(t *testing.T, dir string, set map[string]string) *running {
	t.Helper()
	u, err := broker.OpenUsers(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root", "alice", "bob"} {
		if err := u.Add(name, "secret", "SCRAM-SHA-256"); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:root;User:other"}
	maps.Copy(all, set)
	return start(t, broker.Config{Data: dir, Listen: []string{"SASL_PLAINTEXT://127.0.0.1:0"}, Settings: all})
}

// as is a client that has logged in.
func (r *running) as(user string, opts ...kgo.Opt) *kgo.Client {
	return r.client(append([]kgo.Opt{kgo.SASL(plain.Auth{User: user, Pass: "secret"}.AsMechanism())}, opts...)...)
}

// allow adds rules as an admin does.
func (r *running) allow(b *kadm.ACLBuilder) {
	r.t.Helper()
	got, err := kadm.NewClient(r.as("root")).CreateACLs(r.t.Context(), b)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, g := range got {
		if g.Err != nil {
			r.t.Fatal(g.Err)
		}
	}
}

func TestAWriterWritesAndAReaderReadsAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	r := guarded(t, dir, nil)
	r.allow(kadm.NewACLs().Allow("User:alice").AllowHosts().Topics("web").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpWrite, kadm.OpCreate))
	r.allow(kadm.NewACLs().Allow("User:bob").AllowHosts("127.0.0.1").Topics("web_log").Groups("readers").Operations(kadm.OpRead))
	r.allow(kadm.NewACLs().Deny("User:alice").DenyHosts().Topics("web_secret").Operations(kadm.OpWrite))
	for range 2 { // the rules survive a restart
		alice, bob := r.as("alice"), r.as("bob")
		r.produce(alice, "web_log", 0, 10) // made on first use, with an idempotent producer
		for _, topic := range []string{"other", "web_secret"} {
			if err := alice.ProduceSync(t.Context(), &kgo.Record{Topic: topic}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("alice writes to %s: %v", topic, err)
			}
		}
		if err := bob.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log"}).FirstErr(); err == nil {
			t.Error("bob writes to web_log")
		}
		group := []kgo.Opt{kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("web_log"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}
		member := r.as("bob", group...)
		poll(t, member, 10)
		if err := member.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Errorf("bob commits: %v", err)
		}
		member.Close()
		group[0] = kgo.ConsumerGroup("strangers")
		wantFetchError(t, r.as("bob", group...), kerr.GroupAuthorizationFailed)
		wantFetchError(t, r.as("alice", kgo.ConsumeTopics("web_log"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), kerr.TopicAuthorizationFailed)
		topics, err := kadm.NewClient(bob).ListTopics(t.Context())
		if err != nil || !slices.Equal(topics.Names(), []string{"web_log"}) {
			t.Errorf("bob sees %v, %v", topics.Names(), err)
		}
		if n := r.log.count("denied by access control"); n == 0 || n > 20 {
			t.Errorf("%d lines about denials", n)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if r = guarded(t, dir, nil); r.log.count("denied") > 0 {
			t.Error("denied at the start")
		}
		if _, err := kadm.NewClient(r.as("root")).DeleteTopics(t.Context(), "web_log"); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFetchError polls until an error comes.
func wantFetchError(t *testing.T, cl *kgo.Client, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		fetches := cl.PollFetches(ctx)
		if n := fetches.NumRecords(); n > 0 {
			t.Errorf("got %d records, want %v", n, want)
			return
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, want) {
				return
			}
			if ctx.Err() != nil {
				t.Errorf("got %v, want %v", e.Err, want)
				return
			}
		}
	}
}

func TestRulesAreDescribedAndRemovedByFilters(t *testing.T) {
	r := guarded(t, t.TempDir(), nil)
	r.allow(kadm.NewACLs().Allow("User:alice").AllowHosts().Topics("web").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpRead))
	r.allow(kadm.NewACLs().Allow("User:bob").AllowHosts().Topics("web_log").Operations(kadm.OpRead, kadm.OpWrite))
	admin := kadm.NewClient(r.as("root"))
	for pattern, want := range map[kadm.ACLPattern]int{kadm.ACLPatternLiteral: 2, kadm.ACLPatternMatch: 3, kadm.ACLPatternPrefixed: 0} {
		got, err := admin.DescribeACLs(t.Context(), kadm.NewACLs().Topics("web_log").ResourcePatternType(pattern).Operations().Allow().AllowHosts().Deny().DenyHosts())
		n := 0
		for _, g := range got {
			if g.Err != nil {
				t.Error(g.Err)
			}
			n = max(n, len(g.Described))
		}
		if err != nil || n != want {
			t.Errorf("pattern %v describes %d rules, want %d (%v)", pattern, n, want, err)
		}
	}
	if got, err := kadm.NewClient(r.as("alice")).DescribeACLs(t.Context(), kadm.NewACLs().AnyResource().Operations().Allow().AllowHosts()); err != nil || len(got) != 1 || !errors.Is(got[0].Err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("alice describes rules: %+v, %v", got, err)
	}
	got, err := admin.DeleteACLs(t.Context(), kadm.NewACLs().Topics("web_log").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpWrite).Allow("User:bob").AllowHosts())
	if err != nil || len(got) != 1 || got[0].Err != nil || len(got[0].Deleted) != 1 {
		t.Errorf("deleted %+v, %v", got, err)
	}
	if open := start(t, broker.Config{}); !strings.Contains(fmt.Sprint(kadm.NewClient(open.client()).DescribeACLs(t.Context(), kadm.NewACLs().AnyResource().Operations().Allow().AllowHosts())), "SECURITY_DISABLED") {
		t.Error("without an authorizer the answer is not SECURITY_DISABLED")
	}
}

func TestScramUsersAreManagedByKafkasRequests(t *testing.T) {
	r := guarded(t, t.TempDir(), nil)
	admin := kadm.NewClient(r.as("root"))
	alter := func(cl *kadm.Client, up []kadm.UpsertSCRAM, del []kadm.DeleteSCRAM) error {
		t.Helper()
		got, err := cl.AlterUserSCRAMs(t.Context(), del, up)
		return errors.Join(err, got.Error())
	}
	carol := kadm.UpsertSCRAM{User: "carol", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "pw"}
	if err := alter(kadm.NewClient(r.as("alice")), []kadm.UpsertSCRAM{carol}, nil); !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("alice makes users: %v", err)
	}
	if err := alter(admin, []kadm.UpsertSCRAM{carol}, nil); err != nil {
		t.Fatal(err)
	}
	ms := mechanisms("carol", "pw")
	for _, name := range []string{"PLAIN", "SCRAM-SHA-512"} {
		if err := r.client(kgo.SASL(ms[name])).Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	described, err := admin.DescribeUserSCRAMs(t.Context())
	if c := described["carol"]; err != nil || len(described) != 4 || len(c.CredInfos) != 1 || c.CredInfos[0].Mechanism != kadm.ScramSha512 || c.CredInfos[0].Iterations != 4096 {
		t.Errorf("described are %+v, %v", described, err)
	}
	if some, err := admin.DescribeUserSCRAMs(t.Context(), "carol", "nobody"); err != nil || !errors.Is(some["nobody"].Err, kerr.ResourceNotFound) || some["carol"].Err != nil {
		t.Errorf("described are %+v, %v", some, err)
	}
	weak := kmsg.NewPtrAlterUserSCRAMCredentialsRequest() // which no well-behaved tool sends
	weak.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "weak", Mechanism: 1, Iterations: 4095, Salt: []byte("s"), SaltedPassword: []byte("p")},
		{Name: "", Mechanism: 1, Iterations: 4096, Salt: []byte("s"), SaltedPassword: []byte("p")}, {Name: "odd", Mechanism: 9, Iterations: 4096, Salt: []byte("s"), SaltedPassword: []byte("p")}}
	if resp, err := weak.RequestWith(t.Context(), r.as("root")); err != nil || len(resp.Results) != 3 || resp.Results[0].ErrorCode != 93 || resp.Results[1].ErrorCode != 93 || resp.Results[2].ErrorCode != 33 {
		t.Errorf("got %+v, %v", resp, err)
	}
	gone := kadm.DeleteSCRAM{User: "carol", Mechanism: kadm.ScramSha256}
	for want, do := range map[error]func() error{
		kerr.ResourceNotFound:  func() error { return alter(admin, nil, []kadm.DeleteSCRAM{gone}) },
		kerr.DuplicateResource: func() error { return alter(admin, []kadm.UpsertSCRAM{carol, carol}, nil) },
	} {
		if err := do(); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	gone.Mechanism = kadm.ScramSha512
	if err := alter(admin, nil, []kadm.DeleteSCRAM{gone}); err != nil {
		t.Fatal(err)
	}
	if err := r.client(kgo.SASL(ms["SCRAM-SHA-512"])).Ping(t.Context()); err == nil {
		t.Error("carol logs in after she was removed")
	}
}

func TestACertificatesNameIsTheUser(t *testing.T) {
	ca := testca.New(t)
	writerCert, writerKey := ca.Files("writer")
	set := map[string]string{"ssl.keystore.location": ca.Store("broker"), "ssl.truststore.location": ca.File, "ssl.client.auth": "requested",
		"authorizer.class.name": "kafka.security.authorizer.AclAuthorizer", "super.users": "User:WRITER",
		"ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/U"}
	r := start(t, broker.Config{Listen: []string{"SSL://127.0.0.1:0"}, Settings: set})
	r.produce(r.client(kgo.DialTLSConfig(trusting(t, ca, writerCert, writerKey))), "web_log", 0, 10)
	anybody := r.client(kgo.DialTLSConfig(trusting(t, ca)))
	if err := anybody.ProduceSync(t.Context(), &kgo.Record{Topic: "web_log"}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("who shows no certificate writes: %v", err)
	}
	set["ssl.client.auth"] = "required"
	r = start(t, broker.Config{Listen: []string{"SSL://127.0.0.1:0"}, Settings: set})
	wantTold(t, kafka.Config{CA: ca.File, Cert: writerCert, Key: writerKey}, r.addr, r.addr)
	strangerCert, strangerKey := testca.New(t).Files("writer")
	for name, c := range map[string]kafka.Config{"no certificate": {CA: ca.File}, "a stranger's": {CA: ca.File, Cert: strangerCert, Key: strangerKey}} {
		conn, err := c.Dial(t.Context(), r.addr)
		if err == nil {
			_, err = conn.Call(t.Context(), kmsg.NewPtrMetadataRequest())
			conn.Close()
		}
		if err == nil {
			t.Errorf("%s was enough", name)
		}
	}
}
