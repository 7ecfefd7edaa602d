package commitlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/loghaul/loghaul/internal/record"
)

// epochsFile is Kafka's: from which offset on which leader epoch wrote.
const epochsFile = "leader-epoch-checkpoint"

// epochs is the log's leader epochs, ascending in both numbers; guarded by
// Log.appending.
type epochs []epochStart

type epochStart struct {
	epoch int32
	start record.Offset
}

func (es epochs) last() int32 {
	if len(es) == 0 {
		return -1
	}
	return es[len(es)-1].epoch
}

// with is the list when epoch writes from offset on: epochs that never wrote
// anything fall out.
func (es epochs) with(epoch int32, from record.Offset) epochs {
	es = es.below(from)
	return append(es[:len(es):len(es)], epochStart{epoch, from})
}

// below is the list without epochs that begin at or behind end.
func (es epochs) below(end record.Offset) epochs {
	for len(es) > 0 && es[len(es)-1].start >= end {
		es = es[:len(es)-1]
	}
	return es
}

// from is the list without epochs whose last record lies before start.
func (es epochs) from(start record.Offset) epochs {
	for len(es) > 1 && es[1].start <= start {
		es = es[1:]
	}
	return es
}

func (es epochs) bytes() []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(es))
	for _, e := range es {
		b = fmt.Appendf(b, "%d %d\n", e.epoch, e.start)
	}
	return b
}

func parseEpochs(b []byte) (epochs, error) {
	var version, n int
	r := strings.NewReader(string(b))
	if _, err := fmt.Fscanf(r, "%d\n%d\n", &version, &n); err != nil || version != 0 || n < 0 {
		return nil, fmt.Errorf("reading the head: version %d, %d lines: %w", version, n, errors.Join(err, errEpochs))
	}
	var es epochs
	for i := range n {
		var e epochStart
		if _, err := fmt.Fscanf(r, "%d %d\n", &e.epoch, &e.start); err != nil {
			return nil, fmt.Errorf("reading line %d: %w", i+3, err)
		}
		if len(es) > 0 && (e.epoch <= es.last() || e.start < es[len(es)-1].start) {
			return nil, fmt.Errorf("line %d: %w", i+3, errEpochs)
		}
		es = append(es, e)
	}
	return es, nil
}

var errEpochs = errors.New("leader epochs do not ascend")

func loadEpochs(fsys fileSystem, dir string) (epochs, error) {
	b, err := readAll(fsys, filepath.Join(dir, epochsFile), 1<<20)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	es, err := parseEpochs(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, epochsFile), err)
	}
	return es, nil
}

// enterEpoch writes the log's epoch down before its first batch goes in, so that
// no batch lies in the log under an epoch that a restart does not know. The
// caller holds appending.
func (l *Log) enterEpoch() error {
	if l.appending.entered {
		return nil
	}
	es := l.appending.epochs.from(l.Start())
	if es.last() == l.epoch {
		l.appending.entered = true
		return nil
	}
	es = es.with(l.epoch, l.appending.end)
	path := filepath.Join(l.dir, epochsFile)
	err := replace(l.fs, path, es.bytes())
	if err == nil {
		err = l.fs.syncDir(l.dir)
	}
	if err != nil {
		return &StorageError{Op: "writing", Path: path, Err: err}
	}
	l.appending.epochs, l.appending.entered = es, true
	return nil
}

// LeaderEpoch is what this log stamps into batches.
func (l *Log) LeaderEpoch() int32 { return l.epoch }

// EpochEnd answers OffsetForLeaderEpoch: the newest epoch not above the one asked
// for, and the offset at which it ended; when the log has none so old, that epoch
// and where the first one begins, as Kafka does; -1, -1 when it has none at all.
func (l *Log) EpochEnd(epoch int32) (int32, record.Offset) {
	l.appending.Lock()
	es, end := l.appending.epochs, l.appending.end
	l.appending.Unlock()
	if epoch >= l.epoch {
		return l.epoch, end
	}
	for i := len(es) - 1; i >= 0; i-- {
		if es[i].epoch <= epoch {
			return es[i].epoch, end
		}
		end = es[i].start
	}
	if len(es) > 0 && epoch >= 0 {
		return epoch, end
	}
	return -1, -1
}
