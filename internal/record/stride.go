package record

const (
	// window is how many bytes must be left behind a place for stride to read numbers there;
	// those in front of a record's key take at most 13 of them. A power of two.
	window = 32
	// leastRecord is the length of the smallest record: six fields of one byte.
	leastRecord = 6
	// longer is above every number of up to three bytes.
	longer = 1 << 21
)

// walk is where a check of a batch's records stands.
type walk struct {
	body   []byte
	at     int   // of the next record
	number int32 // of the next record
	count  int32
	first  int64 // time of the batch's first record
	Summary
}

// stride steps over records for as long as they look as nearly all do, and leaves the
// first that does not to sound, which says whether it is wrong or only rare: it has a
// number of more than three bytes, or lies near the end. It is the broker's innermost
// loop: numbers are read within a window, whose bounds are looked at once.
func (w *walk) stride() {
	b, at, number := w.body, w.at, w.number
	latest, earliest, keyless := w.Latest, w.Earliest, w.Keyless
	for number < w.count && len(b)-at >= window {
		p := (*[window]byte)(b[at:])
		size, q := low(p, 0)
		end := at + int(q+size>>1)
		if size >= longer || size&1 != 0 || size>>1 < leastRecord || end > len(b) {
			break
		}
		time, q := low(p, q+1) // behind the attributes
		delta, q := low(p, q)
		key, q := low(p, q)
		if time >= longer || delta != uint(number)<<1 || key >= longer || odd(key) {
			break
		}
		v := at + int(q+key>>1) // of -1, which is written 1, nothing is added
		if v > end || len(b)-v < window {
			break
		}
		value, q := low((*[window]byte)(b[v:]), 0)
		if v += int(q + value>>1); value >= longer || odd(value) || v >= end {
			break
		}
		headers := b[v]
		if v++; headers != 0 {
			v = pairs(b[:end], v, headers)
		}
		if v != end {
			break
		}
		ms := w.first + (int64(time>>1) ^ -int64(time&1))
		if latest = max(latest, ms); ms != -1 && (earliest == -1 || ms < earliest) {
			earliest = ms
		}
		keyless += int(key & 1)
		at = end
		number++
	}
	w.at, w.number = at, number
	w.Latest, w.Earliest, w.Keyless = latest, earliest, keyless
}

// low reads a number of up to three bytes, as it is written, and says what follows it;
// longer or more: it has more bytes.
func low(p *[window]byte, q uint) (v, next uint) {
	if v = uint(p[q%window]); v < 0x80 {
		return v, q + 1
	}
	if v = v&0x7f | uint(p[(q+1)%window])<<7; v < 1<<14 {
		return v, q + 2
	}
	return v&0x3fff | uint(p[(q+2)%window])<<14, q + 3
}

// odd says whether a length, as it is written, is below zero and not null's -1.
func odd(length uint) bool { return length&1 != 0 && length != 1 }

// pairs steps over up to 63 headers; the place behind them is negative when they do not fit.
func pairs(b []byte, at int, count byte) int {
	if count >= 0x80 || count&1 != 0 {
		return -1
	}
	for n := count >> 1; n > 0 && at >= 0; n-- {
		if at = field(b, at, 0); at >= 0 { // a header's key is never null
			at = field(b, at, -1)
		}
	}
	return at
}
