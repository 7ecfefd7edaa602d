package broker_test

import (
	"github.com/twmb/franz-go/pkg/kadm"
)

// committed is the sum of what a group has committed of "shared".
func (r *running) committed(group string) (sum int64) {
	offsets, err := kadm.NewClient(r.client()).FetchOffsets(r.t.Context(), group)
	if err != nil {
		r.t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	return sum
}
