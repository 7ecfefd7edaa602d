package handle

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// MostMaking is the weight of the requests together that may be acted on at a time whose answers may be large.
const MostMaking = 8

// weights are those of requests whose few bytes may ask for a description of all there is.
var weights = map[kmsg.Key]int64{
	kmsg.Metadata:                     1,
	kmsg.OffsetFetch:                  1,
	kmsg.DescribeGroups:               1,
	kmsg.ListGroups:                   1,
	kmsg.DescribeACLs:                 1,
	kmsg.DescribeConfigs:              MostMaking / 2, // up to 64 MiB
	kmsg.DescribeLogDirs:              1,
	kmsg.DescribeUserSCRAMCredentials: 1,
	kmsg.DescribeClientQuotas:         1,
	kmsg.DescribeProducers:            1,
	kmsg.DescribeTransactions:         1,
	kmsg.ListTransactions:             1,
	kmsg.ConsumerGroupDescribe:        1,
}

// Weigh says, of MostMaking, what the answer to a request weighs while it is made, 0: nothing to speak of; and whether the
// request is large itself, and so its answer. Produce has small answers, Fetch makes its own when their turn has come.
func Weigh(frame []byte) (weight int64, large bool) {
	if len(frame) < 2 {
		return 0, false
	}
	key := int16(binary.BigEndian.Uint16(frame))
	if key == keyProduce || key == keyFetch {
		return 0, false
	}
	return weights[kmsg.Key(key)], len(frame) > smallBody
}
