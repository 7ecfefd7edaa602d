package clients

import (
	"context"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// remembering is a client whose broker is a slice; spoil may change what comes back.
func remembering(spoil func(list []Record) []Record) Client {
	logs := map[int32][]Record{}
	return Client{
		Headers: true,
		Times:   true,
		Produce: func(_ context.Context, _, _, _ string, records []Record) error {
			for _, r := range records {
				r.Offset = int64(len(logs[r.Partition]))
				logs[r.Partition] = append(logs[r.Partition], r)
			}
			return nil
		},
		Consume: func(_ context.Context, _, _ string, partition int32, from int64, n int) ([]Record, error) {
			from = max(from, 0)
			return spoil(slices.Clone(logs[partition][from : from+int64(n)])), nil
		},
	}
}

func TestTheStoryOfTheCodecsFindsOutWhoLies(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(list []Record) []Record
		right bool
	}{
		"an honest client":          {func(l []Record) []Record { return l }, true},
		"a record short":            {func(l []Record) []Record { return l[1:] }, false},
		"two in each other's place": {func(l []Record) []Record { l[0], l[1] = l[1], l[0]; return l }, false},
		"a null that is empty": {func(l []Record) []Record {
			for i := range l {
				if l[i].Value == nil {
					l[i].Value = []byte{}
				}
			}
			return l
		}, false},
		"a header short":  {func(l []Record) []Record { l[2].Headers = l[2].Headers[1:]; return l }, false},
		"another time":    {func(l []Record) []Record { l[1].Time = l[0].Time; return l }, false},
		"another offset":  {func(l []Record) []Record { l[1].Offset = l[0].Offset; return l }, false},
		"a changed value": {func(l []Record) []Record { l[0].Value = []byte("else"); return l }, false},
	} {
		if err := roundTrip(t.Context(), "", "", remembering(c.spoil), "none"); (err == nil) != c.right {
			t.Errorf("%s: %v", name, err)
		}
	}
}
