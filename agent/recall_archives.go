package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/agent/archive"
)

// tellOfArchives names the archives beside paths of which the topic has a file that is
// not there any more. It may have been compressed before all of it was sent, and what
// leads from it to its archive stood in the journal that is lost.
func (r *recall) tellOfArchives() {
	var found []string
	for path := range r.gone {
		found = append(found, archivesOf(path)...)
	}
	if len(found) == 0 {
		return
	}
	slices.Sort(found)
	r.t.a.log.Warn("files of which the topic has lines may have been compressed before all of them was sent, and a new journal does not lead into archives: compare their last lines with the topic",
		"topic", r.t.name, "archives", len(found), "first", found[:min(len(found), 3)])
}

// archivesOf are the archives in a path's folder that are named after it.
func archivesOf(path string) (names []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, e := range entries {
		if _, packed := archive.Trim(e.Name()); packed && strings.HasPrefix(e.Name(), stem) && e.Type().IsRegular() {
			names = append(names, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return names
}
