package broker_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/loghaul/loghaul/broker"
	"github.com/twmb/franz-go/pkg/kadm"
)

// standsAt is what a group has committed in partition 0 of web_log, -1: nothing.
func (r *running) standsAt(group string) int64 {
	r.t.Helper()
	offsets, err := kadm.NewClient(r.client()).FetchOffsets(r.t.Context(), group)
	if err != nil {
		r.t.Fatal(err)
	}
	if at, ok := offsets.Lookup("web_log", 0); ok {
		return at.At
	}
	return -1
}

// A broker whose own log was cut short starts, says what is lost with it, and goes on behind it.
func TestABrokersOwnLogThatWasCutShortIsNamedAndPassedOver(t *testing.T) {
	data := filled(t, broker.Config{}, 10)
	r := start(t, broker.Config{Data: data})
	for i := range int64(5) {
		r.commitTo("quick", 0, i+1)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	paths, _ := segmentsOf(t, data, "__consumer_offsets-0")
	whole, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], whole[:len(whole)-10], 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // at each start
		r = start(t, broker.Config{Data: data})
		r.wantSaid(1, "of __consumer_offsets-0 are lost", "what groups had committed", "put back a copy")
		r.wantSaid(0, "topic trim __consumer_offsets")
		if at := r.standsAt("quick"); at != 4 {
			t.Errorf("the group stands at %d, want the commit before the one that is lost", at)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	r = start(t, broker.Config{Data: data})
	r.commitTo("slow", 0, 7)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	r = start(t, broker.Config{Data: data})
	if quick, slow := r.standsAt("quick"), r.standsAt("slow"); quick != 5 || slow != 7 {
		t.Errorf("the groups stand at %d and %d, want 5 and 7", quick, slow)
	}
}

// A segment that is cut short or gone between others is passed over too.
func TestAGapInTheMiddleOfABrokersOwnLogDoesNotStopIt(t *testing.T) {
	for name, cut := range map[string]func(string) error{
		"removed": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 30) },
	} {
		t.Run(name, func(t *testing.T) {
			data := filled(t, broker.Config{}, 10)
			r := start(t, broker.Config{Data: data})
			size := "1024"
			alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "segment.bytes", Value: &size}}
			if done, err := kadm.NewClient(r.client()).AlterTopicConfigs(t.Context(), alter, "__consumer_offsets"); err != nil || done[0].Err != nil {
				t.Fatal(err, done)
			}
			for i := range int64(40) {
				r.commitTo("quick", 0, i%10)
			}
			r.commitTo("quick", 0, 9)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			paths, _ := segmentsOf(t, data, "__consumer_offsets-0")
			if len(paths) < 3 {
				t.Fatalf("%d segments", len(paths))
			}
			if err := cut(paths[1]); err != nil {
				t.Fatal(err)
			}
			r = start(t, broker.Config{Data: data})
			r.wantSaid(1, "of __consumer_offsets-0 are lost", "what groups had committed", "put back a copy")
			if at := r.standsAt("quick"); at != 9 {
				t.Errorf("the group stands at %d, want 9", at)
			}
		})
	}
}

func TestABrokersOwnTopicThatIsGoneIsNamed(t *testing.T) {
	for _, topic := range []string{"__consumer_offsets", "__transaction_state"} {
		for name, take := range map[string]func(string) error{
			"folder": os.RemoveAll,
			"files": func(dir string) error {
				paths, err := filepath.Glob(filepath.Join(dir, "*"))
				for _, p := range paths {
					if filepath.Base(p) != "topic.properties" && err == nil {
						err = os.Remove(p)
					}
				}
				return err
			},
		} {
			t.Run(topic+" "+name, func(t *testing.T) {
				data := filled(t, broker.Config{}, 10)
				r := start(t, broker.Config{Data: data})
				r.wantSaid(0, "level=ERROR")
				r.commitTo("quick", 0, 4)
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				if err := take(filepath.Join(data, topic+"-0")); err != nil {
					t.Fatal(err)
				}
				r = start(t, broker.Config{Data: data})
				r.wantSaid(1, "level=ERROR", "made anew", "put a copy of the folder in its place", "topic="+topic, "lost")
			})
		}
	}
}

// trim deletes what lies before an offset.
func (r *running) trim(topic string, partition int32, before int64) {
	r.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, before, -1)
	done, err := kadm.NewClient(r.client()).DeleteRecords(r.t.Context(), offsets)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}
