package kraft

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
)

// What resources have settings, by the numbers Kafka stores.
const (
	ofTopic  = 2
	ofBroker = 4
	ofGroup  = 32
)

type resource struct {
	kind int8
	name string
}

// state is what the records read so far come to.
type state struct {
	topics     map[string]*topic
	names      map[[16]byte]string
	settings   map[resource]map[string]string
	users      map[string]map[int8]bool // by mechanism
	rules      map[[16]byte]bool
	quotas     map[string]bool
	epoch      int32
	producerID int64
	torn       string
	packed     int    // batches that were
	open       change // that several records make together
}

type topic struct {
	id         [16]byte
	partitions map[int32]int32 // to a bound of its leader epoch
}

func newState() *state {
	return &state{topics: map[string]*topic{}, names: map[[16]byte]string{}, settings: map[resource]map[string]string{},
		users: map[string]map[int8]bool{}, rules: map[[16]byte]bool{}, quotas: map[string]bool{}, epoch: -1}
}

// change is one that several records make together: they count from its end on, if it comes to that.
type change struct {
	begun   bool
	records [][]byte
	bytes   int
}

// mostOpen bounds what the records of one change come to; a Kafka's are some hundred.
const mostOpen = 64 << 20

// The records that matter here, by Kafka's numbers. A record is
//
//	│ frame: uvarint = 1 │ number: uvarint │ version: uvarint │ fields in Kafka's compact form, then tags │
const (
	topicRecord           = 2
	partitionRecord       = 3
	configRecord          = 4
	partitionChangeRecord = 5
	removeTopicRecord     = 9
	userRecord            = 11
	quotaRecord           = 14
	producerIDsRecord     = 15
	ruleRecord            = 18
	removeRuleRecord      = 19
	removeUserRecord      = 22
	beginRecord           = 23
	endRecord             = 24
	abortRecord           = 25
)

// newest are the versions of those whose fields are known here.
var newest = map[uint32]uint32{topicRecord: 0, partitionRecord: 2, configRecord: 0, partitionChangeRecord: 2, removeTopicRecord: 0, userRecord: 0,
	quotaRecord: 0, producerIDsRecord: 0, ruleRecord: 0, removeRuleRecord: 0, removeUserRecord: 0, beginRecord: 0, endRecord: 0, abortRecord: 0}

var errCut = errors.New("a record of the metadata is cut short")

// apply takes one record. Those of other kinds are passed over.
func (s *state) apply(value []byte) error {
	r := &kbin.Reader{Src: value}
	frame, number, version := r.Uvarint(), r.Uvarint(), r.Uvarint()
	if !r.Ok() {
		return errCut
	}
	if frame != 1 {
		return fmt.Errorf("a record of frame version %d, this program reads version 1: the Kafka that wrote it is newer than those it knows", frame)
	}
	most, known := newest[number]
	if !known {
		return nil
	}
	if version > most {
		return fmt.Errorf("a record of kind %d in version %d, this program reads up to version %d: the Kafka that wrote it is newer than those it knows", number, version, most)
	}
	switch number {
	case beginRecord:
		s.open = change{begun: true} // one that was never ended has no effect
		return nil
	case abortRecord:
		s.open = change{}
		return nil
	case endRecord:
		return s.complete()
	}
	if s.open.begun {
		if s.open.bytes += len(value) + 64; s.open.bytes > mostOpen {
			return fmt.Errorf("one change has more than %d MiB of records", mostOpen>>20)
		}
		s.open.records = append(s.open.records, slices.Clone(value))
		return nil
	}
	return s.effect(number, r)
}

// complete lets the records of a change have their effect.
func (s *state) complete() error {
	records := s.open.records
	s.open = change{}
	for _, value := range records {
		r := &kbin.Reader{Src: value}
		_, number, _ := r.Uvarint(), r.Uvarint(), r.Uvarint()
		if err := s.effect(number, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) effect(number uint32, r *kbin.Reader) error {
	if !s.take(number, r) || !r.Ok() {
		return errCut
	}
	if s.epoch == math.MaxInt32 { // ours is the next one
		return fmt.Errorf("a leader epoch of %d, after which there is none", s.epoch)
	}
	return nil
}

// take has the effect of one record; false: it is cut short.
func (s *state) take(number uint32, r *kbin.Reader) bool {
	switch number {
	case topicRecord:
		name, id := r.CompactString(), r.Uuid()
		if r.Ok() {
			s.topics[name] = &topic{id, map[int32]int32{}}
			s.names[id] = name
		}
	case partitionRecord:
		return s.takePartition(r)
	case partitionChangeRecord:
		s.changePartition(r.Int32(), r.Uuid())
	case configRecord:
		s.takeSetting(r)
	case removeTopicRecord:
		id := r.Uuid()
		delete(s.settings, resource{ofTopic, s.names[id]})
		delete(s.topics, s.names[id])
		delete(s.names, id)
	case producerIDsRecord:
		_, _ = r.Int32(), r.Int64() // broker and its epoch
		s.producerID = max(s.producerID, r.Int64())
	default:
		return s.takeSecurity(number, r)
	}
	return true
}

// takePartition notes a partition and its leader epoch.
func (s *state) takePartition(r *kbin.Reader) bool {
	index, id := r.Int32(), r.Uuid()
	for range 4 { // replicas, those in sync, those that come and those that go
		n := r.CompactArrayLen()
		if !r.Ok() || n > 0 && int(n) > len(r.Src)/4 {
			return false
		}
		r.Span(4 * int(max(0, n)))
	}
	_, epoch := r.Int32(), r.Int32() // the leader
	t := s.topics[s.names[id]]
	if !r.Ok() || t == nil {
		return r.Ok()
	}
	t.partitions[index] = epoch
	s.epoch = max(s.epoch, epoch)
	return true
}

// changePartition counts what may have been a new leader: each raises the partition's epoch by one.
func (s *state) changePartition(index int32, id [16]byte) {
	if t := s.topics[s.names[id]]; t != nil {
		t.partitions[index]++
		s.epoch = max(s.epoch, t.partitions[index])
	}
}

func (s *state) takeSetting(r *kbin.Reader) {
	of := resource{r.Int8(), r.CompactString()}
	name, value := r.CompactString(), r.CompactNullableString()
	if !r.Ok() {
		return
	}
	if value == nil {
		delete(s.settings[of], name)
		return
	}
	if s.settings[of] == nil {
		s.settings[of] = map[string]string{}
	}
	s.settings[of][name] = *value
}

// takeSecurity counts users, rules and quotas.
func (s *state) takeSecurity(number uint32, r *kbin.Reader) bool {
	switch number {
	case userRecord:
		name, mechanism := r.CompactString(), r.Int8()
		if s.users[name] == nil {
			s.users[name] = map[int8]bool{}
		}
		s.users[name][mechanism] = true
	case removeUserRecord:
		name, mechanism := r.CompactString(), r.Int8()
		if delete(s.users[name], mechanism); len(s.users[name]) == 0 {
			delete(s.users, name)
		}
	case ruleRecord:
		s.rules[r.Uuid()] = true
	case removeRuleRecord:
		delete(s.rules, r.Uuid())
	case quotaRecord:
		return s.takeQuota(r)
	}
	return true
}

func (s *state) takeQuota(r *kbin.Reader) bool {
	start := r.Src
	for n := r.CompactArrayLen(); n > 0 && r.Ok(); n-- {
		_, _ = r.CompactString(), r.CompactNullableString()
		if r.Uvarint() != 0 { // tags
			return false
		}
	}
	key := string(start[:len(start)-len(r.Src)])
	key += r.CompactString()
	_ = r.Float64()
	if remove := r.Bool(); !r.Ok() {
		return false
	} else if remove {
		delete(s.quotas, key)
	} else {
		s.quotas[key] = true
	}
	return true
}
