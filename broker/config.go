package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/broker/diskroom"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultListen is where a broker listens that is not told otherwise.
const DefaultListen = "127.0.0.1:9092"

// Config is what a Broker needs to know. Only Data is required.
type Config struct {
	// Data is the folder that holds everything, made if it is not there; one broker at a time may use it.
	Data string
	// Listen are the addresses to listen on, host:port, with a listener's name before them if they have one
	// (INTERNAL://:29092); port 0 picks a free one. They win over the setting listeners [127.0.0.1:9092].
	Listen []string
	// Advertise are the addresses told to clients: one for all listeners, or one for each, by name or by place. They
	// win over the setting advertised.listeners. Without any a client is told the address that it came in by.
	Advertise []string
	// TLSCert and TLSKey are PEM files with the certificates and the key of every listener that speaks TLS; listeners
	// without a name then do. They win over the ssl.keystore settings.
	TLSCert, TLSKey string
	// TLSClientCA is a PEM file with the authorities of clients' certificates, which clients then must show on every
	// listener that speaks TLS, unless that listener's own ssl.client.auth says otherwise.
	TLSClientCA string
	// Settings are the broker's under Kafka's own names (num.partitions, log.retention.hours, ...).
	Settings map[string]string
	// Place says where a setting was found (server.properties line 3), for whoever must mend it; empty or nil: no matter.
	Place func(setting string) string
	// ClusterID is that of a folder that has none yet [a random one].
	ClusterID string
	// CreateTopics are made at the start unless they are there: TOPIC:PARTITIONS[:REPLICAS[:POLICY]].
	CreateTopics []string
	// ListenFlag is the option that an error about a busy port names [--broker-listen].
	ListenFlag string
	// Logger takes what an operator should know; nil discards.
	Logger *slog.Logger
	// Level is that of the Logger, which clients may change; nil: it is fixed.
	Level *slog.LevelVar
	// Recovered gets a line for each cut that the recovery of a log made, whatever level the Logger has; nil: the Logger
	// gets it.
	Recovered io.Writer
	// Disk is where the files live, but for the lock of the folder [the real disk].
	Disk disk.FS
	// DiskBudget is how many bytes all topics may take, with their indexes; 0: the disk itself is the limit.
	DiskBudget int64
	// OnFull says what happens when the budget is used up: "block" refuses records and deletes only what every live group
	// of a topic has committed, "drop-oldest" deletes the oldest segments of the largest topics [block].
	OnFull string
	// Claims are the sinks whose groups count as live for that; false: not known yet, and nothing is deleted meanwhile; nil:
	// there are none.
	Claims func() ([]SinkClaim, bool)
	// Registry takes the metrics; nil: none are kept.
	Registry prometheus.Registerer
}

// withDefaults fills the empty fields.
func (c Config) withDefaults() Config {
	if c.ListenFlag == "" {
		c.ListenFlag = "--broker-listen"
	}
	c.Disk = disk.Or(c.Disk)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate lists every complaint.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Data == "" {
		errs = append(errs, errors.New("--data must name a folder"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key must be given together"))
	}
	if c.TLSClientCA != "" && c.TLSCert == "" {
		errs = append(errs, errors.New("--tls-client-ca needs --tls-cert and --tls-key"))
	}
	if err := (diskroom.Config{Budget: c.DiskBudget, OnFull: diskroom.OnFull(c.OnFull)}).Validate(); err != nil {
		errs = append(errs, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		err := topics.CheckBroker(name, c.Settings[name])
		if err != nil && c.Place != nil && c.Place(name) != "" {
			err = fmt.Errorf("%s: %w", c.Place(name), err)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	settings, _ := topics.NewSettings(c.Settings) // complained of above
	if _, err := c.endpoints(settings); err != nil {
		errs = append(errs, err)
	}
	for _, spec := range c.CreateTopics {
		if _, err := parseTopicSpec(spec); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// UnknownSetting is empty for a name that Kafka's brokers have for a setting, else the nearest of those names.
func UnknownSetting(name string) string { return topics.Unknown(name) }
