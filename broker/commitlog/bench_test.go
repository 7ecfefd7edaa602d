package commitlog

import (
	"strings"
	"testing"

	"github.com/loghaul/loghaul/internal/record"
)

// One append of 256 kB is one pwrite and a few map lookups; syncs run beside it.
func BenchmarkAppend256kB(b *testing.B) {
	s, _ := runSyncer(b)
	l := openWith(b, logDir(b), Config{}, s)
	values := make([]string, 1500)
	for i := range values {
		values[i] = strings.Repeat("v", 165)
	}
	batch := batchOf(b, record.NoProducer, 1000, values...)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendSmall(b *testing.B) {
	s, _ := runSyncer(b)
	l := openWith(b, logDir(b), Config{}, s)
	batch := plain(b, strings.Repeat("v", 100))
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAndWait(b *testing.B) {
	s, _ := runSyncer(b)
	l, err := Open(logDir(b), Config{}, s)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	batch := plain(b, strings.Repeat("v", 100))
	b.ReportAllocs()
	for b.Loop() {
		a, err := l.Append(batch)
		if err == nil {
			err = l.WaitDurable(b.Context(), a.Last)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// Five batches of 256 kB in flight, each waiting to be durable, as a journaled
// producer keeps them.
func BenchmarkFiveInFlight(b *testing.B) {
	s, _ := runSyncer(b)
	l, err := Open(logDir(b), Config{}, s)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	batch := plain(b, strings.Repeat("v", 256<<10))
	b.SetBytes(int64(len(batch)))
	var inFlight [5]record.Offset
	i := 0
	for b.Loop() {
		slot := i % len(inFlight)
		if i++; i > len(inFlight) {
			if err := l.WaitDurable(b.Context(), inFlight[slot]); err != nil {
				b.Fatal(err)
			}
		}
		a, err := l.Append(batch)
		if err != nil {
			b.Fatal(err)
		}
		inFlight[slot] = a.Last
	}
}

func BenchmarkRead1MB(b *testing.B) {
	l := open(b, logDir(b), Config{})
	value := strings.Repeat("v", 1000)
	for range 100000 {
		appendTo(b, l, plain(b, value))
	}
	b.ReportAllocs()
	at := record.Offset(0)
	for b.Loop() {
		at = (at + 7919) % 90000
		span, err := l.Read(at, 1<<20)
		if err != nil || span.Length < 1<<19 {
			b.Fatal(span, err)
		}
		span.Release()
	}
}

func BenchmarkRecover(b *testing.B) {
	dir := logDir(b)
	l := open(b, dir, Config{})
	values := strings.Repeat("v", 256<<10)
	for range 400 {
		appendTo(b, l, plain(b, values))
	}
	dir = copyDir(b, dir)
	b.SetBytes(l.Size())
	for b.Loop() {
		writeFile(b, dir+"/"+checkpointFile, nil)
		re := open(b, dir, Config{})
		closeLog(b, re)
	}
}
