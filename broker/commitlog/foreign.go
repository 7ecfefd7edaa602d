package commitlog

import (
	"io/fs"
	"slices"
	"strings"
)

// mostForeign is how many names one line tells.
const mostForeign = 5

// othersFiles are what a partition's folder holds beside the log's own: Kafka's and the
// topic's.
var othersFiles = []string{"partition.metadata", "topic.properties"}

// nameForeign says which files in the folder are no part of the log. They stay: somebody
// put them there.
func (l *Log) nameForeign(names []fs.DirEntry) {
	var foreign, left []string
	for _, d := range names {
		switch {
		case !d.IsDir() && leftByKafka(d.Name()):
			left = append(left, d.Name())
		case d.IsDir() || !familiar(d.Name()):
			foreign = append(foreign, d.Name())
		}
	}
	l.warnOf(foreign, "there are files in the folder that are no part of the log and stay as they are: move them away if they are in the way")
	l.warnOf(left, "Kafka left files in the folder that it had deleted, or a compaction that it had not finished; its own next start would remove them, here they stay and take room: remove them")
}

// warnOf says which files it is about, if there are any.
func (l *Log) warnOf(files []string, msg string) {
	if len(files) > 0 {
		l.mu.cfg.Logger.Warn(msg, "log", l.name, "folder", l.dir, "files", strings.Join(files[:min(len(files), mostForeign)], ", "), "count", len(files))
	}
}

// leftByKafka says whether a Kafka has no more use for a file: it gives what it deletes and what it compacts a second
// suffix, and sweeps both at its start.
func leftByKafka(name string) bool {
	real, deleted := strings.CutSuffix(name, ".deleted")
	if !deleted {
		var cleaned bool
		if real, cleaned = strings.CutSuffix(name, cleanedSuffix); !cleaned {
			return false
		}
	}
	for _, suffix := range []string{logSuffix, indexSuffix, timesSuffix, abortSuffix, ".snapshot"} {
		if _, ok := parseSegmentName(real, suffix); ok {
			return true
		}
	}
	return false
}

// familiar says whether a file is the log's, or one that belongs beside it.
func familiar(name string) bool {
	name = strings.TrimSuffix(name, tmpSuffix)
	switch name {
	case checkpointFile, producersFile, epochsFile, compactedFile, damagedFile:
		return true
	}
	for _, suffix := range []string{logSuffix, indexSuffix, timesSuffix, abortSuffix, ".snapshot"} { // the last is a Kafka's
		if _, ok := parseSegmentName(name, suffix); ok {
			return true
		}
	}
	for _, suffix := range []string{swapSuffix, cleanedSuffix} {
		if _, _, ok := parseSwapName(name, suffix); ok {
			return true
		}
	}
	return slices.Contains(othersFiles, name)
}
