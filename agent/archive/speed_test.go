package archive

import (
	"strings"
	"testing"
)

// BenchmarkReader reads archives as a Stream does, in buffers of 256 KiB.
func BenchmarkReader(b *testing.B) {
	want := strings.Repeat(text(1000), 400)
	for name, packed := range both(b, want) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(want)))
			buf := make([]byte, 256<<10)
			for b.Loop() {
				r := reader(b, packed, nil)
				for at := int64(0); ; {
					n, err := r.ReadAt(buf, at)
					if err != nil {
						b.Fatal(err)
					}
					if at += int64(n); n < len(buf) {
						break
					}
				}
				r.Close()
			}
		})
	}
}
