package handle

import (
	"errors"
	"runtime"

	"github.com/loghaul/loghaul/internal/record"
)

// largestUnpacked bounds what one compressed batch may hold, in bytes; so many as there are readers below.
const largestUnpacked = 64 << 20

// readers take batches apart. There are as many as processors, so that what they hold together is bounded.
var readers = func() chan *record.Reader {
	c := make(chan *record.Reader, runtime.GOMAXPROCS(0))
	for range cap(c) {
		c <- new(record.Reader)
	}
	return c
}()

// checkRecords counts the records of a batch and holds each one's fields against its size, as Kafka does: a batch
// that lies would stop its consumers, long after its producer has gone. A wrong latest time in the header is put
// right, as Kafka does too: old clients leave it out, and questions for an offset by its time pass over such batches.
func checkRecords(batch []byte, h record.Header) error {
	r := <-readers
	defer func() { readers <- r }()
	latest, err := r.Check(batch, max(largestUnpacked, len(batch)))
	switch {
	case err == nil && latest.Latest != h.MaxTimestamp && !h.LogAppendTime():
		record.SetMaxTime(batch, latest.Latest)
		return nil
	case err == nil:
		return nil
	case errors.Is(err, record.ErrTooLarge):
		return coded(errMessageTooLarge, "%v", err)
	}
	return coded(errInvalidRecord, "%v", err)
}
