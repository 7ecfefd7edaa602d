package bench

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheRatesOfKafkasTools(t *testing.T) {
	const said = "499 records sent, 99.8 records/sec (0.01 MB/sec), 3.0 ms avg latency, 100.0 ms max latency.\n" +
		"5000000 records sent, 489236.8 records/sec (59.25 MB/sec), 3.10 ms avg latency, 280.00 ms max latency, 2 ms 50th, 9 ms 95th, 30 ms 99th, 31 ms 99.9th.\n"
	if rate, err := producerRate(said); err != nil || rate != 489236.8 {
		t.Errorf("producer-perf's rate is %v, %v, want 489236.8", rate, err)
	}
	const read = "2026-11-21 17:20:01:100, 2026-11-21 17:20:04:600, 600.5, 171.6, 5000000, 1428571.4, 500, 3000, 200.2, 1666666.7\n"
	if rate, err := consumerRate(read, 5_000_000); err != nil || rate != 1666666.7 {
		t.Errorf("consumer-perf's rate is %v, %v, want that without the joining, 1666666.7", rate, err)
	}
	if _, err := consumerRate(read, 5_000_001); err == nil || !strings.Contains(err.Error(), "5000000 records of 5000001") {
		t.Errorf("a record that was not read = %v", err)
	}
	for _, nothing := range []string{"", "\n", "Exiting before consuming the expected number of messages", "0 records sent, NaN records/sec"} {
		if _, err := producerRate(nothing); err == nil {
			t.Errorf("producer-perf's rate was found in %q", nothing)
		}
		if _, err := consumerRate(nothing, 1); err == nil {
			t.Errorf("consumer-perf's rate was found in %q", nothing)
		}
	}
}

func TestKafkaIsFoundByItsJars(t *testing.T) {
	if _, err := findKafka(Setup{Kafka: "none"}); !errors.Is(err, errNoKafka) {
		t.Errorf("none was not left out: %v", err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("LocalAppData", t.TempDir())
	if _, err := findKafka(Setup{}); !errors.Is(err, errNoKafka) {
		t.Errorf("an empty cache folder = %v, want no more than to be without", err)
	}
	bin, dir := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "libs"), 0o700), os.WriteFile(filepath.Join(dir, "libs", "kafka-clients-9.8.7.jar"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if _, err := findKafka(Setup{Kafka: dir}); !errors.Is(err, errNoKafka) || !strings.Contains(err.Error(), "java is not installed") {
		t.Errorf("without Java = %v", err)
	}
	for _, name := range []string{"java", "java.exe"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := findKafka(Setup{Kafka: dir}); err != nil || k.version != "9.8.7" || k.heap != "1g" {
		t.Errorf("a folder of jars came out as %+v, %v", k, err)
	}
}
