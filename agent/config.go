package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/kafka"
)

// Config is what an agent's own host decides; what it follows comes from Inputs.
type Config struct {
	// Data is the agent's folder (journal, cached configuration, lock): 0700, one
	// process at a time. Required.
	Data string
	// Host names this host: it begins every key and selects inputs. Required.
	Host string
	// Version is what the status shows of the program.
	Version string
	// Labels select inputs by their "on.labels".
	Labels map[string]string
	// Roots are the folders below which files may be read. Default /var/log.
	Roots []string
	// WorldReadable allows files outside Roots that everyone may read. Default false.
	WorldReadable bool
	// Never are folders that loghaul itself writes; nothing in them is followed. Data
	// is always one of them.
	Never []string
	// Inputs is where the inputs come from. Required.
	Inputs etcdconf.Source
	// Kafka is the cluster that lines are sent to.
	Kafka kafka.Config
	// Memory bounds the buffers of reading and sending, in bytes. Default 64 MiB,
	// at least 8 MiB.
	Memory int64
	// CPU bounds the share of one core that the process uses, by reading less: 0.25 is a
	// quarter. Default 0: unlimited.
	CPU float64
	// NeedsMemory, when set, is told how many bytes the process needs in all, whenever that
	// changes much, for the memory limit of a process that is this agent alone. Default:
	// nobody is.
	NeedsMemory func(int64)
	// MaxOpen bounds the descriptors of followed files. Default 1000.
	MaxOpen int
	// DeletedBytes bounds what is kept of deleted files that are not yet sent, in
	// bytes. Default 1 GiB.
	DeletedBytes int64
	// DeletedAge is how long a rotated or deleted file is watched for late lines.
	// Default 1 h.
	DeletedAge time.Duration
	// RecallBytes bounds what is read of a topic, in bytes, when the journal is new and an
	// earlier one may have been lost. Default 1 GiB.
	RecallBytes int64
	// Once makes Run return when every file is at its end and acknowledged.
	Once bool
	// DrainWait bounds the wait for answers at the end. Default 6 s, within the 10 s that a program has to end.
	DrainWait time.Duration
	// Disk is where the journal and the spool lie. Default the real file system.
	Disk disk.FS
	// Account names the compacted topic that the account of every file goes to, made if it
	// is not there. Default: none.
	Account string
	// Status publishes the status; nil: nowhere.
	Status *etcdconf.Publisher
	// Logger gets one line a trouble. Default: none.
	Logger *slog.Logger
	// Registry gets the metrics. Default: none.
	Registry prometheus.Registerer

	accountEvery time.Duration    // between two parts of the account; default 5 s
	stuckPause   time.Duration    // between tries of what only a person can mend; default 15 s
	now          func() time.Time // the journal's clock; default time.Now
	deaf         bool             // no events are to be had, as where the system has no watches left
}

func (c Config) withDefaults() Config {
	if len(c.Roots) == 0 {
		c.Roots = []string{"/var/log"}
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = 1000
	}
	if c.DeletedBytes == 0 {
		c.DeletedBytes = 1 << 30
	}
	if c.RecallBytes == 0 {
		c.RecallBytes = 1 << 30
	}
	if c.DeletedAge == 0 {
		c.DeletedAge = time.Hour
	}
	if c.DrainWait == 0 {
		c.DrainWait = 6 * time.Second
	}
	if c.stuckPause == 0 {
		c.stuckPause = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate lists every complaint about c; zero values mean the defaults.
func (c Config) Validate() error {
	errs := []error{c.Kafka.Validate()}
	complain := func(field string, value any, must string) {
		errs = append(errs, fmt.Errorf("%s (%v) must be %s", field, value, must))
	}
	if c.Data == "" {
		complain("Data", `""`, "a folder (--data)")
	}
	if c.Host == "" {
		complain("Host", `""`, "this host's name (--host)")
	}
	if c.Inputs == nil {
		complain("Inputs", "nil", "a source of inputs")
	}
	for _, root := range append(append([]string(nil), c.Roots...), c.Never...) {
		if !filepath.IsAbs(root) {
			complain("Roots and Never", root, "absolute folders (--allow-root)")
		}
	}
	if c.Memory != 0 && c.Memory < 8<<20 {
		complain("Memory", c.Memory, "at least 8 MiB (--memory)")
	}
	if c.CPU < 0 || math.IsNaN(c.CPU) || c.CPU > 0 && c.CPU < 0.01 {
		complain("CPU", c.CPU, "at least 0.01 of a core (--cpu)")
	}
	if c.MaxOpen < 0 {
		complain("the number of open files", c.MaxOpen, "positive (--max-open)")
	}
	if c.DeletedBytes < 0 {
		complain("the bytes kept of deleted files", c.DeletedBytes, "positive (--deleted-bytes)")
	}
	if c.DeletedAge < 0 {
		complain("the age of deleted files", c.DeletedAge, "positive (--deleted-age)")
	}
	if c.RecallBytes < 0 || c.DrainWait < 0 {
		complain("RecallBytes and DrainWait", "one is negative", "positive")
	}
	return errors.Join(errs...)
}
