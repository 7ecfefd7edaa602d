package txn

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestIDsBeginAtZeroAndCount(t *testing.T) {
	p := open(t, filepath.Join(t.TempDir(), "ids"), 0)
	for want := range ProducerID(2500) {
		if got := next(t, p); got != want {
			t.Fatalf("id %d, want %d", got, want)
		}
	}
}

func TestNoIDIsRepeatedAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids")
	highest := ProducerID(-1)
	for crash := range 20 {
		p := open(t, path, 0) // the one before is simply forgotten
		for range crash * 171 {
			id := next(t, p)
			if id <= highest {
				t.Fatalf("after crash %d: id %d, and %d was given out before", crash, id, highest)
			}
			highest = id
		}
	}
}

func TestAnOpenAloneUsesNothingUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids")
	for range 10 {
		open(t, path, 0)
	}
	if got := next(t, open(t, path, 0)); got != 0 {
		t.Fatalf("id %d after ten starts without a producer, want 0", got)
	}
}

func TestALostFileRepeatsNoIDThatALogKnows(t *testing.T) {
	if got := next(t, open(t, filepath.Join(t.TempDir(), "ids"), 4711)); got != 4711 {
		t.Fatalf("id %d, want the floor 4711", got)
	}
}

func TestADamagedFileIsRefusedAndNamesTheMend(t *testing.T) {
	for _, content := range []string{"", "loghaul producer ids 1: next ", "loghaul producer ids 1: next 12", "loghaul producer ids 1: next -5\n", "\x00\x00\x00"} {
		path := filepath.Join(t.TempDir(), "ids")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenIDs(IDsConfig{Path: path})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "next 1000") {
			t.Errorf("content %q: error %v, want one that names the file and the line to write", content, err)
		}
	}
}

func TestALeftOverOfACrashedWriteDoesNoHarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(path+".tmp", []byte("loghaul prod"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := next(t, open(t, path, 0)); got != 0 {
		t.Fatalf("id %d, want 0", got)
	}
}

func TestAnIDIsNotGivenOutWhenItCannotBeReserved(t *testing.T) {
	p := open(t, filepath.Join(t.TempDir(), "missing", "ids"), 0)
	if id, err := p.Next(); err == nil {
		t.Fatalf("got id %d though its reservation was not stored", id)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	p := open(t, filepath.Join(t.TempDir(), "ids"), 0)
	var all sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				id, err := p.Next()
				if err != nil {
					t.Error(err)
				}
				if _, twice := all.LoadOrStore(id, true); twice {
					t.Error(fmt.Sprint("given out twice: ", id))
				}
			}
		})
	}
	wg.Wait()
}

func open(t *testing.T, path string, floor ProducerID) *ProducerIDs {
	t.Helper()
	p, err := OpenIDs(IDsConfig{Path: path, Floor: floor})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func next(t *testing.T, p *ProducerIDs) ProducerID {
	t.Helper()
	id, err := p.Next()
	if err != nil {
		t.Fatal(err)
	}
	return id
}
