package record

// concat is CRC32C of two pieces one behind the other, told from that of each: a, and b of
// n bytes. As polynomials over two elements, lowest power in the highest bit, a checksum is
// its bytes' remainder, and n bytes behind it multiply it by x^8n.
func concat(a, b uint32, n int) uint32 {
	for k := 3; n > 0; k, n = k+1, n>>1 {
		if n&1 != 0 {
			a = times(powers[k], a)
		}
	}
	return a ^ b
}

// polynomial is that of CRC32C without its highest power.
const polynomial = 0x82f63b78

// powers[k] is the remainder of x to the power of 2^k.
var powers = func() (list [40]uint32) {
	list[0] = 1 << 30
	for k := range len(list) - 1 {
		list[k+1] = times(list[k], list[k])
	}
	return list
}()

// times is the remainder of a product.
func times(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			product ^= b
		}
		b = b>>1 ^ polynomial*(b&1)
	}
	return product
}
