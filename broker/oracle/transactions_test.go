package oracle_test

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// held are the producers of the transactions of a session, by transactional id.
type held struct {
	pid   int64
	epoch int16
}

// begin puts records into a transaction and leaves it open.
func (s *session) begin(topic, txid string, values ...string) held {
	s.Helper()
	pid, epoch := s.producer(txid)
	if code := do[*kmsg.AddPartitionsToTxnResponse](s, 3, s.addPartitions(txid, held{pid, epoch}, topic, 0)).Topics[0].Partitions[0].ErrorCode; code != 0 {
		s.Fatalf("adding %s to %s: error %d", topic, txid, code)
	}
	b := sequenced(pid, epoch, 0, values...)
	b.attrs = 0x10
	req := produceRequest(topic, 0, b.bytes())
	id := s.name(txid)
	req.TransactionID = &id
	if code := do[*kmsg.ProduceResponse](s, 8, req).Topics[0].Partitions[0].ErrorCode; code != 0 {
		s.Fatalf("producing in %s: error %d", txid, code)
	}
	return held{pid, epoch}
}

// end ends the transaction of a name, by which it must be the newest producer.
func (s *session) end(txid string, commit bool) {
	s.Helper()
	// The epoch is asked of the coordinator, so that a script need not carry it.
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{s.name(txid)}
	t := do[*kmsg.DescribeTransactionsResponse](s, 0, req).TransactionStates[0]
	s.endOf(txid, held{t.ProducerID, t.ProducerEpoch}, commit)
}

// endOf ends a producer's transaction and waits until the markers are written.
func (s *session) endOf(txid string, h held, commit bool) {
	s.Helper()
	req := endTxn(s.name(txid), h, commit)
	if code := do[*kmsg.EndTxnResponse](s, 3, req).ErrorCode; code != 0 {
		s.Fatalf("ending %s: error %d", txid, code)
	}
	s.settled(txid)
}

// settled waits until the markers of a transaction are written.
func (s *session) settled(txid string) {
	s.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{s.name(txid)}
	for range 10000 {
		switch do[*kmsg.DescribeTransactionsResponse](s, 0, req).TransactionStates[0].State {
		case "CompleteCommit", "CompleteAbort", "Empty":
			return
		}
	}
	s.Fatalf("the transaction %s does not end", txid)
}

// transaction is a whole one.
func (s *session) transaction(topic, txid string, commit bool, values ...string) {
	s.Helper()
	s.endOf(txid, s.begin(topic, txid, values...), commit)
}

func endTxn(txid string, h held, commit bool) *kmsg.EndTxnRequest {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = txid, h.pid, h.epoch, commit
	return req
}

// addPartitions is the request of a client, up to version 3.
func (s *session) addPartitions(txid string, h held, topic string, partitions ...int32) *kmsg.AddPartitionsToTxnRequest {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = s.name(txid), h.pid, h.epoch
	t := kmsg.NewAddPartitionsToTxnRequestTopic()
	t.Topic, t.Partitions = topic, partitions
	req.Topics = append(req.Topics, t)
	batch := kmsg.NewAddPartitionsToTxnRequestTransaction()
	batch.TransactionalID, batch.ProducerID, batch.ProducerEpoch = s.name(txid), h.pid, h.epoch
	u := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
	u.Topic, u.Partitions = topic, partitions
	batch.Topics = append(batch.Topics, u)
	req.Transactions = append(req.Transactions, batch)
	return req
}

// initProducer asks in the script's version.
func (s *session) initProducer(what string, txid *string, timeout int32, h held) *kmsg.InitProducerIDResponse {
	s.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = txid, timeout, h.pid, h.epoch
	resp, _ := s.ask(what, req).(*kmsg.InitProducerIDResponse)
	return resp
}

var nobody = held{-1, -1}

func init() {
	about(22,
		script{name: "producer ids", play: func(s *session) {
			tx, empty := s.name("tx"), ""
			s.initProducer("without a name", nil, 60000, nobody)
			s.initProducer("without a name, a negative timeout", nil, -1, nobody)
			s.initProducer("an empty name", &empty, 60000, nobody)
			s.initProducer("a timeout of 0", &tx, 0, nobody)
			s.initProducer("a negative timeout", &tx, -5, nobody)
			s.initProducer("a timeout over the limit", &tx, 900001, nobody)
			first := s.initProducer("a name", &tx, 60000, nobody)
			s.initProducer("a name again", &tx, 60000, nobody)
			if first == nil {
				return
			}
			s.initProducer("from the first's epoch", &tx, 60000, held{first.ProducerID, first.ProducerEpoch})
			s.initProducer("from the newest's epoch", &tx, 60000, held{first.ProducerID, first.ProducerEpoch + 1})
			s.initProducer("of another id", &tx, 60000, held{first.ProducerID + 77777, 0})
			s.initProducer("an epoch without an id", &tx, 60000, held{-1, 3})
			s.initProducer("an id without a name", nil, 60000, held{first.ProducerID, 3})
		}},
	)
	about(24,
		script{name: "partitions", play: func(s *session) {
			if s.version > 3 {
				return // spoken between brokers
			}
			t := s.topic("t", 2)
			pid, epoch := s.producer("tx")
			h := held{pid, epoch}
			s.ask("both", s.addPartitions("tx", h, t, 0, 1))
			s.ask("again", s.addPartitions("tx", h, t, 0))
			s.ask("none", s.addPartitions("tx", h, t))
			s.ask("unknown partition", s.addPartitions("tx", h, t, 0, 7))
			s.ask("unknown topic", s.addPartitions("tx", h, s.name("nowhere"), 0))
			s.ask("another id", s.addPartitions("tx", held{pid + 77777, epoch}, t, 0))
			s.ask("an older epoch", s.addPartitions("tx", held{pid, epoch - 1}, t, 0))
			s.ask("a newer epoch", s.addPartitions("tx", held{pid, epoch + 1}, t, 0))
			s.ask("an unknown name", s.addPartitions("other", h, t, 0))
		}},
	)
	about(25,
		script{name: "groups", play: func(s *session) {
			pid, epoch := s.producer("tx")
			add := func(what, txid string, h held, group string) {
				req := kmsg.NewPtrAddOffsetsToTxnRequest()
				req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = s.name(txid), h.pid, h.epoch, group
				s.ask(what, req)
			}
			add("good", "tx", held{pid, epoch}, s.name("g"))
			add("again", "tx", held{pid, epoch}, s.name("g"))
			add("no group", "tx", held{pid, epoch}, "")
			add("another id", "tx", held{pid + 77777, epoch}, s.name("g"))
			add("an older epoch", "tx", held{pid, epoch - 1}, s.name("g"))
			add("an unknown name", "other", held{pid, epoch}, s.name("g"))
		}},
	)
	about(26,
		script{name: "ends", play: func(s *session) {
			if s.version > 4 {
				return // needs transaction.version 2
			}
			t := s.topic("t", 1)
			pid, epoch := s.producer("tx")
			s.ask("of a transaction that has not begun", endTxn(s.name("tx"), held{pid, epoch}, true))
			h := s.begin(t, "tx", "a")
			s.ask("of an older epoch", endTxn(s.name("tx"), held{h.pid, h.epoch - 1}, true))
			s.ask("of another id", endTxn(s.name("tx"), held{h.pid + 77777, h.epoch}, true))
			s.ask("of an unknown name", endTxn(s.name("other"), h, true))
			s.ask("commit", endTxn(s.name("tx"), h, true))
			s.settled("tx")
			s.ask("commit again", endTxn(s.name("tx"), h, true))
			s.ask("abort after it", endTxn(s.name("tx"), h, false))
			s.readBack(t)
			h = s.begin(t, "tx", "b")
			s.ask("abort", endTxn(s.name("tx"), h, false))
			s.settled("tx")
			s.ask("abort again", endTxn(s.name("tx"), h, false))
			s.ask("commit after it", endTxn(s.name("tx"), h, true))
			s.readBack(t)
		}},
		script{name: "produced in and out of a transaction", play: func(s *session) {
			if s.version > 4 {
				return
			}
			t := s.topic("t", 2)
			h := s.begin(t, "tx", "a")
			plain := sequenced(h.pid, h.epoch, 1, "plain")
			s.tellProduce("without the bit, in the transaction", t, 0, "", plain)
			in := sequenced(h.pid, h.epoch, 0, "x")
			in.attrs = 0x10
			s.tellProduce("a partition that was not added", t, 1, "tx", in)
			s.ask("commit", endTxn(s.name("tx"), h, true))
			s.settled("tx")
			in.sequence = 1
			s.tellProduce("after the end", t, 0, "tx", in)
		}},
	)
	about(28,
		script{name: "offsets", play: txnOffsets},
	)
	about(65,
		script{name: "described", play: func(s *session) {
			t := s.topic("t", 1)
			describe := func(what string, names ...string) {
				req := kmsg.NewPtrDescribeTransactionsRequest()
				req.TransactionalIDs = names
				s.ask(what, req)
			}
			describe("unknown", s.name("other"))
			s.producer("tx")
			describe("not begun", s.name("tx"))
			h := s.begin(t, "tx", "a")
			describe("open", s.name("tx"))
			s.endOf("tx", h, false)
			describe("ended", s.name("tx"))
			describe("no names")
			describe("an empty name", "")
		}},
	)
	about(66,
		script{name: "listed", play: func(s *session) {
			t := s.topic("t", 1)
			h := s.begin(t, "tx", "a")
			list := func(what string, change func(*kmsg.ListTransactionsRequest)) {
				req := kmsg.NewPtrListTransactionsRequest()
				req.ProducerIDFilters = []int64{h.pid}
				change(req)
				s.ask(what, req)
			}
			list("by producer", func(*kmsg.ListTransactionsRequest) {})
			list("by state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing"} })
			list("by another state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Empty"} })
			list("by a state that is none", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Asleep"} })
			s.endOf("tx", h, true)
			list("after the end", func(*kmsg.ListTransactionsRequest) {})
		}},
	)
	about(27,
		script{name: "markers by hand", play: func(s *session) {
			t := s.topic("t", 1)
			h := s.begin(t, "tx", "a")
			mark := func(what string, h held, commit bool, topic string, partition int32) {
				req := kmsg.NewPtrWriteTxnMarkersRequest()
				m := kmsg.NewWriteTxnMarkersRequestMarker()
				m.ProducerID, m.ProducerEpoch, m.Committed = h.pid, h.epoch, commit
				m.Topics = append(m.Topics, kmsg.WriteTxnMarkersRequestMarkerTopic{Topic: topic, Partitions: []int32{partition}})
				req.Markers = append(req.Markers, m)
				s.ask(what, req)
			}
			mark("unknown partition", h, false, t, 7)
			mark("unknown topic", h, false, s.name("nowhere"), 0)
			mark("an older epoch", held{h.pid, h.epoch - 1}, false, t, 0)
			mark("abort", h, false, t, 0)
			mark("abort again", h, false, t, 0)
			s.readBack(t)
		}},
	)
}

// tellProduce produces in version 8 or the newest that knows no topic ids.
func (s *session) tellProduce(what, topic string, partition int32, txid string, b batch) {
	s.Helper()
	req := produceRequest(topic, partition, b.bytes())
	if txid != "" {
		id := s.name(txid)
		req.TransactionID = &id
	}
	req.Version = 8
	s.tell(what, req)
}

func txnOffsets(s *session) {
	if s.version > 4 {
		return // needs transaction.version 2
	}
	t := s.topic("t", 1)
	pid, epoch := s.producer("tx")
	h := held{pid, epoch}
	commit := func(what string, change func(*kmsg.TxnOffsetCommitRequest)) {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = s.name("tx"), s.name("g"), h.pid, h.epoch
		req.Generation = -1
		rt := kmsg.NewTxnOffsetCommitRequestTopic()
		rt.Topic = t
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Offset, p.Metadata = 5, kmsg.StringPtr("m")
		rt.Partitions = append(rt.Partitions, p)
		req.Topics = append(req.Topics, rt)
		change(req)
		s.ask(what, req)
	}
	committed := func(what string, stable bool) {
		req := offsetFetchRequest(s.name("g"), t, 0)
		req.RequireStable, req.Version = stable, 7
		s.tell(what, req)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = s.name("tx"), h.pid, h.epoch, s.name("g")
	if code := do[*kmsg.AddOffsetsToTxnResponse](s, 3, add).ErrorCode; code != 0 {
		s.Fatalf("adding a group: error %d", code)
	}
	commit("good", func(*kmsg.TxnOffsetCommitRequest) {})
	committed("pending", false)
	committed("pending, stable wanted", true)
	commit("unknown topic", func(r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Topic = s.name("nowhere") })
	commit("unknown partition", func(r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Partitions[0].Partition = 7 })
	commit("unknown member", func(r *kmsg.TxnOffsetCommitRequest) { r.MemberID, r.Generation = "who", 3 })
	commit("a generation without a member", func(r *kmsg.TxnOffsetCommitRequest) { r.Generation = 3 })
	commit("no group", func(r *kmsg.TxnOffsetCommitRequest) { r.Group = "" })
	s.endOf("tx", h, true)
	committed("after the commit", true)
}
