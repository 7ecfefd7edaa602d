package record

import "testing"

func TestATombstoneHasAKeyAndNoValue(t *testing.T) {
	b := NewBuilder(0)
	b.Append(0, []byte("k"), nil, 0, nil) // an empty value is no tombstone
	b.AppendTombstone(3, []byte("k"))
	batch, err := b.Seal(nil, NoProducer, None, 100, 103)
	if err != nil {
		t.Fatal(err)
	}
	var values [][]byte
	var last Record
	var r Reader
	if err := r.Read(batch, 1000, func(rec *Record) error {
		values, last = append(values, rec.Value), *rec
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(values) != 2 || values[0] == nil || values[1] != nil {
		t.Fatalf("values %v, want an empty one and none", values)
	}
	if string(last.Key) != "k" || last.Timestamp != 103 || last.Offset != 1 {
		t.Fatalf("tombstone %+v", last)
	}
}
