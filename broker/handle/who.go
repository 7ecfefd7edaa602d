package handle

import "log/slog"

// Who is a client in a log line: the number of its connection, its address, how it calls itself and whom it has shown to
// be. The first is the same in all lines about one connection.
func (p Peer) Who() slog.Attr {
	return slog.Group("", "connection", p.Connection, "peer", p.Remote, "client", shortened(p.ClientID), "principal", p.Principal)
}
