package batch

import "strconv"

// counter is a position in decimal digits. The next one is told from the one before by
// adding, since positions of lines are close together.
type counter struct {
	at   int64
	text [19]byte // the digits, at its end
	n    int      // how many; 0: none yet
}

// to moves the counter and answers its digits, valid until the next call. at is not negative.
func (c *counter) to(at int64) []byte {
	carry := at - c.at
	c.at = at
	if c.n == 0 || carry < 0 || carry >= 1<<30 {
		c.n = copy(c.text[:], strconv.AppendInt(make([]byte, 0, len(c.text)), at, 10))
		copy(c.text[len(c.text)-c.n:], c.text[:c.n])
		return c.text[len(c.text)-c.n:]
	}
	i := len(c.text) - 1
	for rest := uint32(carry); rest > 0; i-- {
		if i >= len(c.text)-c.n {
			rest += uint32(c.text[i] - '0')
		}
		c.text[i] = byte('0' + rest%10)
		rest /= 10
	}
	c.n = max(c.n, len(c.text)-1-i)
	return c.text[len(c.text)-c.n:]
}

// appendLength appends a length in decimal digits; most lines have hundreds of bytes.
func appendLength(b []byte, n int64) []byte {
	if n < 100 || n > 999 {
		return strconv.AppendInt(b, n, 10)
	}
	u := uint32(n)
	return append(b, byte('0'+u/100), byte('0'+u/10%10), byte('0'+u%10))
}
