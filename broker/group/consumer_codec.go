package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/broker/group/assign"
)

// Consumer groups are stored as Kafka stores them. A key is its kind and one or two strings of i16 length;
// a value begins with its version, 0, and is in the flexible form (compact lengths, tagged fields):
//
//	key   3 │ group            value │ epoch i32 │ tag 0: hash of the topics i64
//	key   5 │ group │ member   value │ instance │ rack │ client │ host │ topics │ regex │ rebalance i32 │ assigner
//	key   6 │ group            value │ target epoch i32
//	key   7 │ group │ member   value │ target: [topic id 16 │ [partition i32]]
//	key   8 │ group │ member   value │ epoch i32 │ former epoch i32 │ progress i8 │ assigned │ to be given up
//	key  16 │ group │ regex    value │ topics │ version i64 │ time i64
//
// assigned and to be given up are as target, with tag 0: [since which epoch i32]. A null value deletes.
const (
	kindEpoch   int16 = 3
	kindMember  int16 = 5
	kindAim     int16 = 6
	kindTarget  int16 = 7
	kindCurrent int16 = 8
	kindPattern int16 = 16
)

var be = binary.BigEndian

// consumerKey is a key of one kind; name is empty where the kind has none.
func consumerKey(kind int16, id ID, name string) []byte {
	b := be.AppendUint16(nil, uint16(kind))
	b = append(be.AppendUint16(b, uint16(len(id))), id...)
	if kind != kindEpoch && kind != kindAim {
		b = append(be.AppendUint16(b, uint16(len(name))), name...)
	}
	return b
}

// parseConsumerKey is the reverse.
func parseConsumerKey(key []byte) (kind int16, id ID, name string, err error) {
	d := decoder{b: key}
	kind = int16(d.u16())
	id = ID(d.take(int(d.u16())))
	if kind != kindEpoch && kind != kindAim {
		name = string(d.take(int(d.u16())))
	}
	return kind, id, name, d.err
}

func epochValue(r *roster) []byte {
	b := be.AppendUint32([]byte{0, 0}, uint32(r.epoch))
	if r.seen == 0 {
		return append(b, 0)
	}
	return be.AppendUint64(append(b, 1, 0, 8), uint64(r.seen))
}

func memberValue(m *consumer) []byte {
	b := appendNullable([]byte{0, 0}, string(m.instance), m.instance != "")
	rack := ""
	if m.rack != nil {
		rack = *m.rack
	}
	b = appendNullable(b, rack, m.rack != nil)
	b = appendNullable(b, m.clientID, true)
	b = appendNullable(b, m.host, true)
	b = appendStrings(b, m.topics)
	b = appendNullable(b, m.pattern, m.pattern != "")
	b = be.AppendUint32(b, uint32(m.rebalance.Milliseconds()))
	return append(appendNullable(b, m.assigner, m.assigner != ""), 0)
}

func aimValue(r *roster) []byte {
	return append(be.AppendUint32([]byte{0, 0}, uint32(r.targetEpoch)), 0)
}

func targetValue(target assign.Set) []byte {
	return append(appendSlots([]byte{0, 0}, target.Sorted(), nil), 0)
}

func currentValue(m *consumer) []byte {
	b := be.AppendUint32([]byte{0, 0}, uint32(m.epoch))
	b = append(be.AppendUint32(b, uint32(m.previous)), byte(m.progress))
	b = appendSlots(b, sortedSlots(m.assigned), m.assigned)
	return append(appendSlots(b, sortedSlots(m.unrevoked), m.unrevoked), 0)
}

func patternValue(p *pattern) []byte {
	b := appendStrings([]byte{0, 0}, p.sorted())
	b = be.AppendUint64(b, 0) // of Kafka's metadata: there is none
	return append(be.AppendUint64(b, uint64(p.resolved.UnixMilli())), 0)
}

func appendNullable(b []byte, s string, present bool) []byte {
	if !present {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list))+1)
	for _, s := range list {
		b = appendNullable(b, s, true)
	}
	return b
}

// appendSlots writes sorted partitions by topic, with the epochs since which they are held, if told.
func appendSlots(b []byte, list []Slot, since map[Slot]Epoch) []byte {
	var topics [][]Slot
	for i, s := range list {
		if i == 0 || s.Topic != list[i-1].Topic {
			topics = append(topics, nil)
		}
		topics[len(topics)-1] = append(topics[len(topics)-1], s)
	}
	b = binary.AppendUvarint(b, uint64(len(topics))+1)
	for _, slots := range topics {
		b = append(b, slots[0].Topic[:]...)
		b = binary.AppendUvarint(b, uint64(len(slots))+1)
		for _, s := range slots {
			b = be.AppendUint32(b, uint32(s.Partition))
		}
		if since == nil {
			b = append(b, 0)
			continue
		}
		epochs := binary.AppendUvarint(nil, uint64(len(slots))+1)
		for _, s := range slots {
			epochs = be.AppendUint32(epochs, uint32(since[s]))
		}
		b = append(b, 1, 0)
		b = append(binary.AppendUvarint(b, uint64(len(epochs))), epochs...)
	}
	return b
}

var errShort = errors.New("cut short")

// decoder reads a key or value; after its end everything is zero and err says so.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.b, d.err = nil, errShort
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u16() uint16 {
	if b := d.take(2); b != nil {
		return be.Uint16(b)
	}
	return 0
}

func (d *decoder) i32() int32 {
	if b := d.take(4); b != nil {
		return int32(be.Uint32(b))
	}
	return 0
}

func (d *decoder) i64() int64 {
	if b := d.take(8); b != nil {
		return int64(be.Uint64(b))
	}
	return 0
}

func (d *decoder) uvarint() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > 1<<31 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

// count reads a compact length of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint() - 1
	if n > 0 && n > len(d.b)/size {
		d.b, d.err = nil, errShort
	}
	if d.err != nil {
		return 0
	}
	return max(n, 0)
}

func (d *decoder) nullable() (s string, present bool) {
	n := d.uvarint()
	if n == 0 {
		return "", false
	}
	return string(d.take(n - 1)), d.err == nil
}

func (d *decoder) strings() []string {
	n := d.count(1)
	list := make([]string, 0, n)
	for range n {
		s, _ := d.nullable()
		list = append(list, s)
	}
	return list
}

// tags reads tagged fields; f, if there is one, is called with each.
func (d *decoder) tags(f func(tag int, data *decoder)) {
	for range d.uvarint() {
		tag := d.uvarint()
		data := decoder{b: d.take(d.uvarint())}
		if d.err != nil {
			return
		}
		if f != nil {
			f(tag, &data)
			d.err = errors.Join(d.err, data.err)
		}
	}
}

// slots reads partitions by topic.
func (d *decoder) slots() map[Slot]Epoch {
	out := map[Slot]Epoch{}
	for range d.count(18) {
		var topic TopicID
		copy(topic[:], d.take(16))
		var list []Slot
		for range d.count(4) {
			list = append(list, Slot{Topic: topic, Partition: d.i32()})
			out[list[len(list)-1]] = 0
		}
		d.tags(func(tag int, data *decoder) {
			if tag != 0 || data.count(4) != len(list) {
				return
			}
			for _, s := range list {
				out[s] = Epoch(data.i32())
			}
		})
	}
	return out
}

// version reads a value's version, which must be known.
func (d *decoder) version() {
	if v := d.u16(); v != 0 && d.err == nil {
		d.b, d.err = nil, fmt.Errorf("version %d is not known", v)
	}
}
