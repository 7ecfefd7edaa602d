package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Records are read by hand: kmsg believes a count of tags, and a damaged one would keep it busy for a minute.

// decodeKey reads whose record this is. A version from later is an error.
func decodeKey(b []byte) (ID, error) {
	r := kbin.Reader{Src: b}
	version, id := r.Int16(), r.String()
	if err := r.Complete(); err != nil {
		return "", fmt.Errorf("reading a key: %w", err)
	}
	if version != keyVersion || id == "" {
		return "", fmt.Errorf("a key of version %d, transactional id %q", version, id)
	}
	return ID(id), nil
}

// decodeValue fills a fresh transaction. Versions 0 and 1 differ in lengths and tags.
func decodeValue(b []byte, t *transaction) error {
	r := kbin.Reader{Src: b}
	version := r.Int16()
	if version < 0 || version > valueVersion {
		return fmt.Errorf("a value of version %d", version)
	}
	t.producer.ID, t.producer.Epoch = ProducerID(r.Int64()), r.Int16()
	timeout, state := r.Int32(), State(r.Int8())
	t.timeout, t.state = time.Duration(timeout)*time.Millisecond, state
	if err := readPartitions(&r, version, t); err != nil {
		return err
	}
	t.updated, t.started = r.Int64(), r.Int64()
	if version >= 1 {
		err := readTags(&r, func(tag uint32, b []byte) {
			switch {
			case tag == tagPrevious && len(b) == 8:
				t.previous = ProducerID(binary.BigEndian.Uint64(b))
			case tag == tagLastEpoch && len(b) == 2:
				t.lastEpoch = int16(binary.BigEndian.Uint16(b))
			}
		})
		if err != nil {
			return err
		}
	}
	if err := r.Complete(); err != nil {
		return fmt.Errorf("reading a value: %w", err)
	}
	if state < Empty || state > CompleteAbort || t.producer.ID < 0 || t.producer.Epoch < 0 || timeout < 0 {
		return fmt.Errorf("a value with state %d, producer %d epoch %d, timeout %d", state, t.producer.ID, t.producer.Epoch, timeout)
	}
	return nil
}

var errLyingCount = errors.New("reading a value: a count of more than there is")

func readPartitions(r *kbin.Reader, version int16, t *transaction) error {
	length, name := r.ArrayLen, r.String
	if version >= 1 {
		length, name = r.CompactArrayLen, r.CompactString
	}
	for n := length(); n > 0; n-- {
		topic := name()
		for n := length(); n > 0; n-- {
			t.partitions[Partition{topic, r.Int32()}] = true
		}
		if version >= 1 {
			if err := readTags(r, func(uint32, []byte) {}); err != nil {
				return err
			}
		}
		if !r.Ok() {
			return errLyingCount
		}
	}
	return nil
}

func readTags(r *kbin.Reader, f func(tag uint32, b []byte)) error {
	for n := r.Uvarint(); n > 0; n-- {
		tag, size := r.Uvarint(), r.Uvarint()
		if !r.Ok() || int64(size) > int64(len(r.Src)) {
			return errLyingCount
		}
		f(tag, r.Span(int(size)))
	}
	return nil
}
