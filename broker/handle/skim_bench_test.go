package handle

import (
	"testing"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// usual is what clients send all the time.
func usual() []kmsg.Request {
	meta := kmsg.NewPtrMetadataRequest()
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.MemberID, join.ProtocolType = "shippers", "client-1-6a1f8c3e-52a6-4c05-9f3c-0b8f4a3a7f11", "consumer"
	for _, name := range []string{"range", "cooperative-sticky"} {
		join.Protocols = append(join.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: make([]byte, 80)})
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.MemberID = join.Group, join.MemberID
	for _, topic := range []string{"web_log", "mail_log", "app_log", "audit_log"} {
		meta.Topics = append(meta.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
		of := kmsg.OffsetCommitRequestTopic{Topic: topic}
		for p := range int32(6) {
			of.Partitions = append(of.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: 12345, LeaderEpoch: -1})
		}
		commit.Topics = append(commit.Topics, of)
	}
	meta.SetVersion(12)
	join.SetVersion(9)
	commit.SetVersion(8)
	return []kmsg.Request{meta, join, commit}
}

func BenchmarkSkimBesideDecode(b *testing.B) {
	for _, req := range usual() {
		name, body := kmsg.NameForKey(req.Key()), req.AppendTo(nil)
		b.Run(name+"/skim", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := wire.Skim(req.Key(), req.GetVersion(), body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				again := kmsg.RequestForKey(req.Key())
				again.SetVersion(req.GetVersion())
				if err := again.ReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestSkimmingAllocatesNothing(t *testing.T) {
	for _, req := range usual() {
		body := req.AppendTo(nil)
		if _, err := wire.Skim(req.Key(), req.GetVersion(), body); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = wire.Skim(req.Key(), req.GetVersion(), body) }); n != 0 {
			t.Errorf("%s: %v allocations", kmsg.NameForKey(req.Key()), n)
		}
	}
}
