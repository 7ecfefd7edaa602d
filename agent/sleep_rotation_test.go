package agent

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// newDeafBedroom is a bedroom whose agent may hear of no events: each file is looked at
// every two seconds then, and several things happen to it between two looks.
func newDeafBedroom(t *testing.T, patterns string, topics map[string]int32, deaf bool) *bedroom {
	t.Helper()
	b := newBedroom(t, patterns, topics)
	if deaf {
		b.r.stop()
		b.change = func(c *Config) { c.deaf = true }
		b.r = b.start()
		b.until(func() bool { return len(b.asleep()) >= 30 }, func() string { return fmt.Sprintf("%d files are asleep", len(b.asleep())) })
	}
	return b
}

func (b *bedroom) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bedroom) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	b.must(err)
	return string(text)
}

// pack makes an archive of a file and removes that.
func (b *bedroom) pack(name string) {
	b.t.Helper()
	f, err := os.Create(b.path(name + ".gz"))
	b.must(err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(b.read(name)))
	b.must(err)
	b.must(z.Close())
	b.must(f.Close())
	b.must(os.Remove(b.path(name)))
}

// changes are what happens to a file in its sleep, with lines that nobody has seen yet. Each
// line that is there at the end is in sent.
var changes = []struct {
	what string
	do   func(b *bedroom, name string)
}{
	{"a rotation", func(b *bedroom, name string) {
		b.add(name, 10, 2)
		b.rename(name, name+".1")
		b.add(name, 20, 2)
	}},
	{"a rotation, and a file of the same size", func(b *bedroom, name string) {
		b.rename(name, name+".1")
		size := len(b.read(name + ".1"))
		b.write(name, strings.Repeat("y", size-1)+"\n")
		b.sent = append(b.sent, strings.Repeat("y", size-1))
	}},
	{"a late line in the old file", func(b *bedroom, name string) {
		b.rename(name, name+".1")
		b.add(name, 20, 2)
		b.write(name+".1", "a late line of "+name+"\n")
		b.sent = append(b.sent, "a late line of "+name)
	}},
	{"three rotations", func(b *bedroom, name string) {
		for n := range 3 {
			b.add(name, 10+10*n, 3)
			for old := n; old > 0; old-- {
				b.rename(fmt.Sprintf("%s.%d", name, old), fmt.Sprintf("%s.%d", name, old+1))
			}
			b.rename(name, name+".1")
		}
		b.add(name, 40, 3)
	}},
	{"a rotation with compression", func(b *bedroom, name string) {
		b.add(name, 10, 30)
		b.rename(name, name+".1")
		b.add(name, 50, 2)
		b.pack(name + ".1")
	}},
	{"copytruncate", func(b *bedroom, name string) {
		b.add(name, 10, 3)
		b.write(name+".1", b.read(name))
		b.must(os.Truncate(b.path(name), 0))
		b.add(name, 20, 1)
	}},
	{"copytruncate, and the same size again", func(b *bedroom, name string) {
		b.write(name+".1", b.read(name))
		size := len(b.read(name))
		b.must(os.Truncate(b.path(name), 0))
		text := "another " + name + " "
		text += strings.Repeat("x", size-len(text)-1)
		b.write(name, text+"\n")
		b.sent = append(b.sent, text)
	}},
	{"a truncation, and growth past where it was", func(b *bedroom, name string) {
		b.must(os.Truncate(b.path(name), 0))
		b.add(name, 100, 30)
	}},
	{"another file of the name, perhaps of the number", func(b *bedroom, name string) {
		b.must(os.Remove(b.path(name)))
		b.add(name, 20, 10)
	}},
	{"a replacement", func(b *bedroom, name string) {
		b.lines(name+".new", 20, 10)
		b.rename(name+".new", name)
		b.sent = append(b.sent, numbered(name+".new", 20, 10)...)
	}},
	{"an end without a newline", func(b *bedroom, name string) {
		b.write(name, "a fragment of "+name)
		b.sent = append(b.sent, "a fragment of "+name+", and its end")
		b.write(name, ", and its end\n")
	}},
	{"a rotation in the middle of a line", func(b *bedroom, name string) {
		b.write(name, "the last words of "+name)
		b.rename(name, name+".1")
		b.add(name, 20, 2)
		b.write(name+".1", ", and no more\n")
		b.sent = append(b.sent, "the last words of "+name+", and no more")
	}},
	{"a second name, and the first is gone", func(b *bedroom, name string) {
		other := strings.TrimSuffix(name, ".log") + "-too.log"
		b.must(os.Link(b.path(name), b.path(other)))
		b.must(os.Remove(b.path(name)))
		b.write(other, "by another name, "+name+"\n")
		b.sent = append(b.sent, "by another name, "+name)
	}},
	{"a way out and back", func(b *bedroom, name string) {
		b.rename(name, name+"-elsewhere")
		b.rename(name+"-elsewhere", name)
		b.add(name, 10, 2)
	}},
}

func TestEachLineComesOnceWhateverBecomesOfAFileInItsSleep(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		for _, patterns := range []string{"*.log", "*.log*"} {
			t.Run(fmt.Sprintf("%s deaf %t", patterns, deaf), func(t *testing.T) {
				t.Parallel()
				b := newDeafBedroom(t, patterns, map[string]int32{"web_log": 3}, deaf)
				names := b.asleep()
				for i, c := range changes {
					if patterns == "*.log*" && c.what == "a replacement" {
						continue // the new file is followed by its own name first
					}
					c.do(b, names[i])
				}
				b.all()
				b.r.stop()
				b.r = b.start()
				for i := range changes {
					if _, err := os.Stat(b.path(names[i])); err == nil {
						b.add(names[i], 200, 1)
					}
				}
				b.all()
			})
		}
	}
}

func TestAFileThatIsDeletedInItsSleepIsLetGoOf(t *testing.T) {
	b := newDeafBedroom(t, "*.log", oneTopic, true)
	name := b.asleep()[0]
	b.must(os.Remove(b.path(name)))
	b.until(func() bool { return b.r.Status().Totals.Streams == idleFiles+39 }, func() string { return "a file is followed that is gone" })
	b.add(name, 10, 3)
	b.all()
}

func TestTheSweepFindsWhatNoEventTellsOf(t *testing.T) {
	b := newDeafBedroom(t, "**/*.log", map[string]int32{"web_log": 3}, true)
	for i := range idleFiles + 40 {
		b.add(bedName(i), 10, 1)
	}
	for i := range 20 {
		folder := fmt.Sprintf("service-%d/deep", i)
		b.must(os.MkdirAll(b.path(folder), 0o755))
		for n := range 10 {
			b.add(fmt.Sprintf("%s/%d.log", folder, n), 0, 2)
		}
	}
	b.all()
	b.rename("service-7", "service-of-another-name")
	b.write("service-of-another-name/deep/3.log", "in a folder of another name\n")
	b.sent = append(b.sent, "in a folder of another name")
	b.must(os.RemoveAll(b.path("service-9")))
	b.all()
}

func TestADrainSendsWhatNobodyHasSeenYet(t *testing.T) {
	b := newDeafBedroom(t, "*.log", oneTopic, true)
	for _, name := range b.asleep() {
		b.add(name, 10, 2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if d, err := Drain(ctx, b.data); err != nil || d.Error != "" || d.Waiting != 0 {
		t.Fatalf("a drain answers %+v, %v", d, err)
	}
	b.r.stop()
	b.all()
}
