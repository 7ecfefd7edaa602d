package follow

import "testing"

func TestAFileIsKnownAgainHoweverManyOthersAre(t *testing.T) {
	path := pathIn(t, "app.log")
	appendTo(t, path, "1\n2\n")
	owners := NewOwners(nil)
	cfg := Config{Path: path, Owners: owners}
	tl := tail(t, cfg)
	tl.want(tl.poll(), "1\n2\n")
	tl.restart(cfg)
	for i := range knownMost + 1 { // as when all Streams are made before any looks
		owners.learn(Checkpoint{ID: ID{Inode: uint64(i), Birth: 1}, Position: 1})
	}
	appendTo(t, path, "3\n")
	tl.want(tl.poll(), "3\n")
}
