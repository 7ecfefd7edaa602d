package follow

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/loghaul/loghaul/internal/line"
)

// ID is what makes a generation itself: the inode, not the name, and which of
// the inode's lives since it was last truncated. Nothing in it comes from
// chance, so that it can be found again without any memory.
type ID struct {
	FS    uint64 // the filesystem's own id; its device number where it has none
	Inode uint64
	Birth int64  // when the inode was made, Unix ns; 0 where the filesystem does not say
	Cut   uint32 // truncations seen
}

// Generation is the identity in the 32 bits that pos carries.
func (id ID) Generation() line.Generation {
	var b [28]byte
	binary.BigEndian.PutUint64(b[0:], id.FS)
	binary.BigEndian.PutUint64(b[8:], id.Inode)
	binary.BigEndian.PutUint64(b[16:], uint64(id.Birth))
	binary.BigEndian.PutUint32(b[24:], id.Cut)
	sum := sha256.Sum256(b[:])
	return line.Generation(binary.BigEndian.Uint32(sum[:4]))
}

// node is the identity without its lives.
func (id ID) node() ID { id.Cut = 0; return id }

// Checkpoint is how far a generation has been handed on or acknowledged, with
// what is needed to know it again. Hashes refute: a file whose hash differs is
// another one, whatever its inode says; equal hashes prove nothing.
type Checkpoint struct {
	ID         ID
	Path       string        // the first path, which the key keeps
	Began      int64         // when this life began, Unix ns; 0: not known, or InArchive. Rotated files born earlier are not news
	Position   line.Position // the next byte
	Head       uint64        // hash of the first HeadLength bytes
	HeadLength int           // 0: not known
	Tail       uint64        // hash of the TailLength bytes before Position
	TailLength int           // 0: not known
	Ended      bool          // truncated or deleted: nothing will ever be read of it again
}

// InArchive is Began of a generation of which nothing was known before it lay in an
// archive: its identity is that of the archive's file, its positions are those in what
// the archive was made from.
const InArchive = -1

const (
	headMost = 1024 // bytes that Head covers once they are there
	tailMost = 256  // bytes that Tail covers
)

// Tail is the hash of the last bytes of before, 256 at most, and how many they
// are: what a Checkpoint wants whose Position is the end of before.
func Tail(before []byte) (hash uint64, length int) {
	if len(before) > tailMost {
		before = before[len(before)-tailMost:]
	}
	if len(before) == 0 {
		return 0, 0
	}
	return xxhash.Sum64(before), len(before)
}
