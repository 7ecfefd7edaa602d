package topics

import (
	"strings"
	"testing"
)

func TestSegmentsAreSmallWhereRoomIsSmall(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // made, and found again
		topics, err := Open(Config{Dir: dir, MostSegment: 2000})
		if err != nil {
			t.Fatal(err)
		}
		for name, own := range map[string]map[string]string{"large": {"segment.bytes": "1000000"}, "small": {"segment.bytes": "1024"}, "table": {"cleanup.policy": "compact"}} {
			topic := topics.Get(name)
			if topic == nil {
				if topic, err = topics.Create(name, 1, own); err != nil {
					t.Fatal(err)
				}
			}
			if name != "table" { // which wants keys
				for range 20 {
					put(t, topic.Partition(0), strings.Repeat("x", 400))
				}
			}
		}
		if err := topics.Alter("large", map[string]string{"segment.bytes": "2000000"}); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			put(t, topics.Get("large").Partition(0), strings.Repeat("x", 400))
		}
		for name, most := range map[string]int64{"large": 2000, "small": 1024} {
			segments := topics.Get(name).Partition(0).Log.Segments()
			for _, s := range segments {
				if s.Size > most || len(segments) < 4 {
					t.Errorf("%s: a segment of %d bytes, %d in all, want at most %d bytes each", name, s.Size, len(segments), most)
				}
			}
		}
		if n := topics.logConfig(topics.Get("table").Effective()).SegmentBytes; n != 1<<30 {
			t.Errorf("a compacted topic has segments of %d bytes", n)
		}
		if got := topics.Get("large").Own()["segment.bytes"]; got != "2000000" {
			t.Errorf("segment.bytes is %s", got)
		}
		if err := topics.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
