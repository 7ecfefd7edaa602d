package commitlog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
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
	version, rest, _ := strings.Cut(string(b), "\n")
	count, rest, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if strings.TrimSpace(version) != "0" || err != nil || n < 0 {
		return nil, fmt.Errorf("reading the head: version %q, %q lines: %w", version, count, errEpochs)
	}
	var es epochs
	for i := range n {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		epoch, start, _ := strings.Cut(strings.TrimSpace(line), " ")
		e, err := strconv.ParseInt(epoch, 10, 32)
		from, serr := strconv.ParseInt(start, 10, 64)
		if err = errors.Join(err, serr); err != nil {
			return nil, fmt.Errorf("reading line %d: %w", i+3, err)
		}
		if len(es) > 0 && (int32(e) <= es.last() || record.Offset(from) < es[len(es)-1].start) {
			return nil, fmt.Errorf("line %d: %w", i+3, errEpochs)
		}
		es = append(es, epochStart{int32(e), record.Offset(from)})
	}
	return es, nil
}

var errEpochs = errors.New("leader epochs do not ascend")

// sum is a checksum over the epochs that wrote from start on and below end, which
// Kafka's file has none of.
func (es epochs) sum(start, end record.Offset) uint32 {
	return crc32.Checksum(es.from(start).below(end).bytes(), castagnoli)
}

func loadEpochs(fsys disk.FS, dir string) (epochs, error) {
	b, err := disk.ReadUpTo(fsys, filepath.Join(dir, epochsFile), 1<<20)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(b) == 0 { // a Kafka makes it empty
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

// loadEpochs reads the leader epochs, and says whether they are what the recovery point
// knows of them: then batches are held against them.
func (l *Log) loadEpochs(point *checkpoint) (sound bool) {
	es, err := loadEpochs(l.fs, l.dir)
	switch {
	case err != nil:
	case point != nil && !point.former && es.sum(point.start, point.end) != point.epochs:
		err = fmt.Errorf("%s is not what it was at the recovery point", filepath.Join(l.dir, epochsFile))
	case (point == nil || point.former) && es == nil:
		return false
	}
	if err != nil {
		l.mu.cfg.Logger.Warn("leader epochs are unusable, they are taken from the batches", "log", l.name, "error", err)
		return false
	}
	if l.stamps.epochs.Store(&es); point != nil && !point.former {
		l.stamps.known.Store(int64(point.end))
	}
	return true
}

// settleEpochs makes the leader epochs anew from the batches where the file did not say
// them; the log's own comes after them.
func (l *Log) settleEpochs(point *checkpoint, sound bool) (err error) {
	votes := &l.stamps.votes
	if sound && point == nil && votes.wrong > 0 {
		// A copy that is older than the log, say: batches would be refused for what it says.
		l.mu.cfg.Logger.Warn("leader epochs do not fit the batches and are taken from those", "log", l.name, "batches", votes.wrong)
		sound = false
	}
	var es epochs
	if sound {
		es = votes.outcome(*l.stamps.epochs.Load(), record.Offset(l.stamps.known.Load()))
	} else if es, err = l.writtenEpochs(); err != nil {
		return err
	}
	es = es.below(l.mu.end)
	l.writeSettled(es, sound)
	l.appending.epochs = es
	l.stamps.epochs.Store(&es)
	l.epoch = max(l.mu.cfg.LeaderEpoch, es.last())
	return nil
}

// writeSettled puts the leader epochs into the file if it says others: the next recovery
// point vouches for them, and a start would find the file false.
func (l *Log) writeSettled(es epochs, sound bool) {
	path := filepath.Join(l.dir, epochsFile)
	if sound && slices.Equal(l.stamps.epochs.Load().below(l.mu.end), es) {
		return
	}
	if _, err := l.fs.Stat(path); err != nil && len(es) == 0 {
		return // there is none, and nothing to say
	}
	if err := replace(l.fs, path, es.bytes()); err != nil {
		l.mu.cfg.Logger.Warn("writing the leader epochs, the next start takes them from the batches again", "log", l.name, "error", err)
		return
	}
	l.mu.renamed = true // settle makes the name durable
}

// epochVotes are what the batches behind the recovery point say: the epochs that began
// there are in the file, which has no checksum, and the recovery point does not know them.
// Without a recovery point they are of all batches.
type epochVotes struct {
	yes, no int // batches that the file is right about, and not
	wrong   int // of these, batches that it says another epoch of
	written epochs
	falls   bool // a batch has a lower epoch than one before it: no list of epochs says that
}

// hear takes in what one batch says.
func (v *epochVotes) hear(es epochs, h record.Header) {
	switch at := es.at(h.BaseOffset); {
	case at == h.LeaderEpoch:
		v.yes++
	case at >= 0:
		v.wrong++
		fallthrough
	default:
		v.no++
	}
	if last := v.written.last(); h.LeaderEpoch > last {
		v.written = append(v.written, epochStart{h.LeaderEpoch, h.BaseOffset})
	} else if h.LeaderEpoch < last {
		v.falls = true
	}
}

// outcome is the file's epochs, from known on in place of them the batches' own if it is
// wrong about most.
func (v *epochVotes) outcome(es epochs, known record.Offset) epochs {
	if v.no <= v.yes {
		return es
	}
	if v.falls { // nothing is known
		return nil
	}
	es = slices.Clone(es.below(known))
	for _, e := range v.written {
		if e.epoch > es.last() {
			es = append(es, e)
		}
	}
	return es
}

// writtenEpochs is the leader epochs as the batches have them. Where those go down again
// one of them is damaged, and which is not known: then nothing is.
func (l *Log) writtenEpochs() (epochs, error) {
	var es epochs
	for _, s := range l.mu.segments {
		err := s.walk(0, s.size, func(_ *handle, _ int64, h record.Header) error {
			switch {
			case h.LeaderEpoch > es.last():
				es = append(es, epochStart{h.LeaderEpoch, h.BaseOffset})
			case h.LeaderEpoch < es.last():
				return errEpochs
			}
			return nil
		})
		if _, bad := asDamage(err); bad || errors.Is(err, errEpochs) {
			say := l.mu.cfg.Logger.Error
			if l.mu.cfg.Foreign { // a Kafka begins with its own, lower ones when it is started again
				say = l.mu.cfg.Logger.Warn
			}
			say("the batches do not say either which leader epochs wrote them", "log", l.name, "error", err)
			return nil, nil
		} else if err != nil {
			return nil, err
		}
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
		err = l.syncNames()
	}
	if errors.Is(err, ErrFailed) {
		return err
	} else if err != nil {
		return &StorageError{Op: "writing", Path: path, Err: err}
	}
	l.appending.epochs, l.appending.entered = es, true
	l.stamps.epochs.Store(&es)
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
