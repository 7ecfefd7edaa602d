package wire

import (
	"math/bits"
	"sync"
)

// smallFrame is the size in bytes below which a frame is never counted against the budget and its buffer never
// shared: small requests get through whatever the large ones do.
const smallFrame = 16 << 10

// leastClass is the logarithm of the smallest buffer's size, 1 KiB: thousands of consumers that wait each hold their
// request.
const leastClass = 10

// pools holds buffers of 2^k and 1.5*2^k bytes, up to 128 MiB.
var pools [2 * (28 - leastClass)]sync.Pool

// class is the index of the smallest buffers that hold n bytes, and their size.
func class(n int) (index, size int) {
	n = max(n, 1<<leastClass)
	k := bits.Len(uint(n-1)) - 1 // 2^k < n <= 2^(k+1)
	switch half := 1<<k + 1<<(k-1); {
	case n <= half:
		index, size = 2*(k-leastClass)+1, half
	default:
		index, size = 2*(k+1-leastClass), 1<<(k+1)
	}
	return index, size
}

// getBuffer returns a buffer of length n or more.
func getBuffer(n int) *[]byte {
	i, size := class(n)
	if i < len(pools) {
		if b, ok := pools[i].Get().(*[]byte); ok {
			return b
		}
	}
	b := make([]byte, size)
	return &b
}

// putBuffer takes a buffer back; nobody may use it afterwards.
func putBuffer(b *[]byte) {
	if i, size := class(len(*b)); size == len(*b) && i < len(pools) {
		pools[i].Put(b)
	}
}
