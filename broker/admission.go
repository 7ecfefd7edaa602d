package broker

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// limits reads how many connections a listener takes.
func (s *server) limits(d *door) error {
	own, ok := s.settings.Own(d.name, "max.connections")
	if !ok {
		d.most = -1
		return nil
	}
	var err error
	if d.most, err = strconv.ParseInt(own, 10, 32); err != nil {
		return fmt.Errorf("listener %s: max.connections: %w", d.name, err)
	}
	return nil
}

// perPeer reads max.connections.per.ip.overrides. Kafka takes names of hosts too, and asks the name service for each once;
// here they are refused, for an answer that changes would leave the limit with the wrong machine.
func perPeer(value string) (map[string]int64, error) {
	limits := map[string]int64{}
	for entry := range strings.SplitSeq(value, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		colon := strings.LastIndexByte(entry, ':')
		ip, err := netip.ParseAddr(strings.Trim(entry[:max(colon, 0)], "[] "))
		if err != nil {
			return nil, fmt.Errorf("%q must be ADDRESS:COUNT, with an IP address", entry)
		}
		n, err := strconv.ParseInt(strings.TrimSpace(entry[colon+1:]), 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q must be ADDRESS:COUNT, with a number from 0 up", entry)
		}
		limits[ip.Unmap().String()] = n
	}
	return limits, nil
}

// warnOfOthers says which settings are for listeners that there are not: one that protects a listener may have a slip in
// its name.
func (s *server) warnOfOthers(log *slog.Logger) {
	others := slices.DeleteFunc(s.settings.Listeners(), func(name string) bool {
		return slices.ContainsFunc(s.doors, func(d *door) bool { return strings.EqualFold(d.name, name) }) ||
			slices.Contains(controllers(s.settings), strings.ToUpper(name))
	})
	if len(others) > 0 {
		log.Warn("settings for listeners that there are not: " + strings.Join(others, ", "))
	}
}

// full says which limit a new connection would exceed, and where that stands; empty: none. The caller holds mu.
func (s *server) full(c *connection) (limit string, most int64) {
	all, own := s.settings.Int("max.connections"), s.settings.Int("max.connections.per.ip")
	if n, ok := s.perPeer[c.peer.IP]; ok {
		own = n
	}
	switch {
	case int64(len(s.mu.open)) >= all:
		return "max.connections", all
	case c.door.most >= 0 && int64(s.mu.byDoor[c.door]) >= c.door.most:
		return "listener.max.connections", c.door.most
	case int64(s.mu.byPeer[c.peer.IP]) >= own:
		return "max.connections.per.ip", own
	}
	return "", 0
}

// newConnection enters a connection into the list, or closes it when there are too many. Those that still shake hands or
// log in count like all others.
func (s *server) newConnection(raw net.Conn, d *door) *connection {
	c := connect(s, raw, d)
	limit, most := s.enter(c)
	if limit == "" {
		return c
	}
	_ = raw.Close()
	s.metrics.closed.WithLabelValues(limit).Inc()
	s.log.warn("refused a connection: "+limit+" are open", c.session.Peer().Who(), "listener", d.name, "max", most)
	return nil
}

// enter counts a connection, unless a limit is reached.
func (s *server) enter(c *connection) (limit string, most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit, most = s.full(c); limit != "" {
		return limit, most
	}
	s.mu.open[c] = struct{}{}
	s.mu.byPeer[c.peer.IP]++
	s.mu.byDoor[c.door]++
	s.metrics.connected.Inc()
	s.metrics.connections.Inc()
	return "", 0
}

func (s *server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.open, c)
	s.mu.byDoor[c.door]--
	if s.mu.byPeer[c.peer.IP]--; s.mu.byPeer[c.peer.IP] == 0 {
		delete(s.mu.byPeer, c.peer.IP)
	}
	s.metrics.connections.Dec()
}
