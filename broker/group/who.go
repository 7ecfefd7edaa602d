package group

import "log/slog"

// whoIs is a member in a log line: its id, how its client calls itself, and where from.
func whoIs(id MemberID, clientID, host string) slog.Attr {
	return slog.Group("", "member", string(id), "client", clientID[:min(len(clientID), mostShown)], "host", host)
}

// mostShown is how much of a client's own name a line shows, in bytes.
const mostShown = 64

func (m *member) who() slog.Attr   { return whoIs(m.id, m.clientID, m.host) }
func (m *consumer) who() slog.Attr { return whoIs(m.id, m.clientID, m.host) }
