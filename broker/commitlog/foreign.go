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
	var foreign []string
	for _, d := range names {
		if d.IsDir() || !familiar(d.Name()) {
			foreign = append(foreign, d.Name())
		}
	}
	if len(foreign) == 0 {
		return
	}
	l.mu.cfg.Logger.Warn("there are files in the folder that are no part of the log and stay as they are: move them away if they are in the way",
		"log", l.name, "folder", l.dir, "files", strings.Join(foreign[:min(len(foreign), mostForeign)], ", "), "count", len(foreign))
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
