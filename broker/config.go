package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/prometheus/client_golang/prometheus"
)

// DefaultListen is where a broker listens that is not told otherwise.
const DefaultListen = "127.0.0.1:9092"

// Config is what a Broker needs to know. Only Data is required.
type Config struct {
	// Data is the folder that holds everything, made if it is not there; one broker at a time may use it.
	Data string
	// Listen are the addresses to listen on, host:port, with a listener's name before them if they have one
	// (INTERNAL://:29092); port 0 picks a free one [127.0.0.1:9092].
	Listen []string
	// Advertise are the addresses told to clients: one for all listeners, or one for each, by name or by place.
	// Without it a client is told the address that it came in by.
	Advertise []string
	// Settings are the broker's under Kafka's own names (num.partitions, log.retention.hours, ...).
	Settings map[string]string
	// CreateTopics are made at the start unless they are there: TOPIC:PARTITIONS[:REPLICAS[:POLICY]].
	CreateTopics []string
	// ListenFlag is the option that an error about a busy port names [--broker-listen].
	ListenFlag string
	// Logger takes what an operator should know; nil discards.
	Logger *slog.Logger
	// Recovered gets a line for each cut that the recovery of a log made, whatever level the Logger has; nil: the Logger
	// gets it.
	Recovered io.Writer
	// Registry takes the metrics; nil: none are kept.
	Registry prometheus.Registerer
}

// withDefaults fills the empty fields.
func (c Config) withDefaults() Config {
	if len(c.Listen) == 0 {
		c.Listen = []string{DefaultListen}
	}
	if c.ListenFlag == "" {
		c.ListenFlag = "--broker-listen"
	}
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
		errs = append(errs, errors.New("Data must name a folder"))
	}
	if _, err := endpoints(c.Listen, c.Advertise); err != nil {
		errs = append(errs, err)
	}
	if _, err := topics.NewSettings(c.Settings); err != nil {
		errs = append(errs, err)
	}
	for _, spec := range c.CreateTopics {
		if _, err := parseTopicSpec(spec); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// endpoint is one address to listen on and what clients are told of it.
type endpoint struct {
	name   string // of the listener, may be empty
	listen string // host:port
	host   string // advertised; empty: the address that the client came in by
	port   int32
}

// endpoints pairs the addresses to listen on with those to advertise.
func endpoints(listen, advertise []string) ([]endpoint, error) {
	var all []endpoint
	var errs []error
	for _, l := range listen {
		name, addr := splitName(l)
		if _, _, err := splitAddr(addr); err != nil {
			errs = append(errs, fmt.Errorf("Listen (%q) must be host:port: %w", l, err))
		}
		all = append(all, endpoint{name: name, listen: addr})
	}
	if n := len(advertise); n > 1 && n != len(listen) {
		errs = append(errs, fmt.Errorf("Advertise has %d addresses, it must have one, or one for each of the %d listeners", n, len(listen)))
		return all, errors.Join(errs...)
	}
	for i, a := range advertise {
		name, addr := splitName(a)
		host, port, err := splitAddr(addr)
		if err != nil || host == "" || port == 0 {
			errs = append(errs, fmt.Errorf("Advertise (%q) must be host:port, as clients reach the broker", a))
			continue
		}
		if !setAdvertised(all, name, host, port, i, len(advertise)) {
			errs = append(errs, fmt.Errorf("Advertise (%q) names no listener", a))
		}
	}
	return all, errors.Join(errs...)
}

// setAdvertised gives the listeners that an advertised address is for that address.
func setAdvertised(all []endpoint, name, host string, port int32, place, count int) bool {
	found := false
	for i := range all {
		if name != "" && name == all[i].name || name == "" && (count == 1 || i == place) {
			all[i].host, all[i].port, found = host, port, true
		}
	}
	return found
}

// splitName takes NAME:// off an address.
func splitName(s string) (name, addr string) {
	if name, addr, ok := strings.Cut(s, "://"); ok {
		return name, addr
	}
	return "", s
}

func splitAddr(addr string) (string, int32, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number up to 65535", p)
	}
	return host, int32(port), nil
}
