package commitlog

import "hash/maphash"

// keyMap remembers the latest offset of each key, in memory that is bounded before
// the first key goes in. It holds 128 bits of two hashes in place of a key, whose
// seeds nobody outside knows: that two keys meet is as likely as a disk that errs.
type keyMap struct {
	seeds [2]maphash.Seed
	slots []keySlot
	used  int
}

// keySlot is one key; next is its latest offset and one more, 0: the slot is free.
type keySlot struct {
	hash [2]uint64
	next int64
}

const keySlotBytes = 24

// newKeyMap makes room for keys, as far as bytes allow.
func newKeyMap(keys, bytes int) *keyMap {
	most := max(bytes/keySlotBytes, 8)
	n := most
	if keys < most/4*3 {
		n = max(keys/3*4+8, 8)
	}
	return &keyMap{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, slots: make([]keySlot, n)}
}

// slot is where the key is or would go. One slot in four at least is always free.
func (k *keyMap) slot(key []byte) (*keySlot, [2]uint64) {
	hash := [2]uint64{maphash.Bytes(k.seeds[0], key), maphash.Bytes(k.seeds[1], key)}
	for i := hash[0] % uint64(len(k.slots)); ; i = (i + 1) % uint64(len(k.slots)) {
		if s := &k.slots[i]; s.next == 0 || s.hash == hash {
			return s, hash
		}
	}
}

// put makes offset the key's latest, unless the key is new and there is no room for
// it; offsets come in ascending order. One key at least fits.
func (k *keyMap) put(key []byte, offset int64) bool {
	s, hash := k.slot(key)
	if s.next == 0 {
		if k.used == len(k.slots)/4*3 {
			return false
		}
		k.used++
	}
	s.hash, s.next = hash, offset+1
	return true
}

// latest is the key's latest offset, -1: it is not in the map.
func (k *keyMap) latest(key []byte) int64 {
	s, _ := k.slot(key)
	return s.next - 1
}
