package broker

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/nearest"
)

// protocol is what a listener speaks, by Kafka's name.
type protocol string

const (
	plaintext     protocol = "PLAINTEXT"
	ssl           protocol = "SSL"
	saslPlaintext protocol = "SASL_PLAINTEXT"
	saslSSL       protocol = "SASL_SSL"
)

var protocols = []protocol{plaintext, ssl, saslPlaintext, saslSSL}

func (p protocol) tls() bool  { return p == ssl || p == saslSSL }
func (p protocol) sasl() bool { return p == saslPlaintext || p == saslSSL }

// endpoint is one address to listen on and what clients are told of it.
type endpoint struct {
	name     string // of the listener; without one its protocol's
	protocol protocol
	listen   string // host:port
	host     string // advertised; empty: the address that the client came in by
	port     int32  // advertised; 0 likewise
	source   string // the option, or the setting with its place, that names it
}

// endpoints are the addresses to listen on with what is told of them.
func (c Config) endpoints(set *topics.Settings) ([]endpoint, error) {
	a := c.addresses(set)
	speaks, err := c.protocols(set)
	if err != nil {
		return nil, err
	}
	forController := controllers(set)
	var all []endpoint
	var errs []error
	for _, l := range a.listen {
		name, addr := splitName(l)
		if name != "" && slices.Contains(forController, strings.ToUpper(name)) {
			continue
		}
		e := endpoint{name: name, listen: addr, source: a.source}
		complain := func(err error) { errs = append(errs, fmt.Errorf("%s (%q): %w", a.source, l, err)) }
		if _, _, err := splitAddr(addr); err != nil {
			errs = append(errs, fmt.Errorf("%s (%q) must be host:port: %w", a.source, l, err))
		}
		if e.protocol, err = speaks(name); err != nil {
			complain(err)
		}
		if e.name == "" {
			e.name = string(e.protocol)
		}
		if err := e.beside(all); err != nil {
			complain(err)
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		errs = append(errs, fmt.Errorf("%s names listeners for controllers only, and this broker needs one for clients", a.source))
	}
	a.advertise = slices.DeleteFunc(slices.Clone(a.advertise), func(l string) bool {
		name, _ := splitName(l)
		return name != "" && slices.Contains(forController, strings.ToUpper(name))
	})
	return all, errors.Join(append(errs, advertised(all, a)...)...)
}

// beside says what keeps a listener from being opened together with those before it.
func (e endpoint) beside(before []endpoint) error {
	host, port, _ := splitAddr(e.listen)
	for _, other := range before {
		if strings.EqualFold(other.name, e.name) {
			return errors.New("another listener has that name")
		}
		otherHost, otherPort, _ := splitAddr(other.listen)
		if port != 0 && port == otherPort && (host == otherHost || everywhere(host) || everywhere(otherHost)) {
			return fmt.Errorf("port %d is given twice, also to %s: each listener needs one of its own", port, other.name)
		}
	}
	return nil
}

// everywhere says whether a host stands for all addresses of the machine.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// controllers are the names, in upper case, of listeners that are not for clients.
func controllers(set *topics.Settings) []string {
	var names []string
	for _, name := range append(set.List("controller.listener.names"), set.Text("control.plane.listener.name")) {
		if name != "" {
			names = append(names, strings.ToUpper(name))
		}
	}
	return names
}

// skipped are the addresses in the settings that are not listened on, because controllers would come in there.
func skipped(set *topics.Settings) []string {
	names := controllers(set)
	var list []string
	for _, l := range set.List("listeners") {
		if name, _ := splitName(l); slices.Contains(names, strings.ToUpper(name)) {
			list = append(list, l)
		}
	}
	return list
}

// protocols reads listener.security.protocol.map and returns what a listener of some name speaks.
func (c Config) protocols(set *topics.Settings) (func(name string) (protocol, error), error) {
	given := map[string]protocol{}
	for entry := range strings.SplitSeq(set.Text("listener.security.protocol.map"), ",") {
		name, p, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if name == "" && !ok {
			continue
		}
		speaks := protocol(strings.ToUpper(strings.TrimSpace(p)))
		if !ok || !slices.Contains(protocols, speaks) {
			return nil, fmt.Errorf("%s (%q) must be NAME:PROTOCOL, of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL", c.named("listener.security.protocol.map"), entry)
		}
		given[strings.ToUpper(strings.TrimSpace(name))] = speaks
	}
	mapped := set.Given("listener.security.protocol.map")
	return func(name string) (protocol, error) {
		name = strings.ToUpper(name)
		switch own := protocol(name); {
		case given[name] != "":
			return given[name], nil
		case name == "" && c.TLSCert != "":
			return ssl, nil
		case slices.Contains(protocols, own):
			return own, nil
		case mapped && name != "":
			return "", fmt.Errorf("listener.security.protocol.map says no protocol for listener %s", name)
		}
		return plaintext, slip(name)
	}, nil
}

// slip refuses a name that is nearly a protocol's: taken for a free name it would be open to everybody.
func slip(name string) error {
	var known []string
	for _, p := range protocols {
		known = append(known, string(p))
	}
	near, letters := nearest.Of(name, known)
	far := letters > 2 || letters == 2 && protocol(near) == ssl                                                    // two of three letters say nothing
	if far && (strings.Contains(name, "SASL") || strings.Contains(name, "SSL") || strings.Contains(name, "TLS")) { // open it would not be what was asked for
		return fmt.Errorf("%s is no protocol: say PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; if it is the listener's name, say what it speaks with "+
			"listener.security.protocol.map=%s:SASL_SSL", name, name)
	}
	if far {
		return nil
	}
	return fmt.Errorf("%s is no protocol: did you mean %s? If it is the listener's name, say what it speaks with listener.security.protocol.map=%s:PLAINTEXT", name, near, name)
}

// advertised gives the listeners what clients are told of them.
func advertised(all []endpoint, a addresses) []error {
	if n := len(a.advertise); n > 1 && n != len(all) && a.typed {
		return []error{fmt.Errorf("%s has %d addresses, it must have one, or one for each of the %d listeners", a.told, n, len(all))}
	}
	var errs []error
	for i, l := range a.advertise {
		name, addr := splitName(l)
		host, port, err := splitAddr(addr)
		ip := net.ParseIP(host)
		switch {
		case err != nil || port == 0 || host == "" && a.typed:
			errs = append(errs, fmt.Errorf("%s (%q) must be host:port, as clients reach the broker", a.told, l))
		case ip != nil && ip.IsUnspecified():
			errs = append(errs, fmt.Errorf("%s (%q) is no address that a client can reach: name the host", a.told, l))
		case !setAdvertised(all, name, host, port, i, len(a.advertise)):
			errs = append(errs, a.noListener(all, l))
		}
	}
	return errs
}

// noListener says which names there are, and how there may be one more.
func (a addresses) noListener(all []endpoint, l string) error {
	var names []string
	for _, e := range all {
		names = append(names, e.name)
	}
	name, _ := splitName(l)
	option := "listeners"
	if strings.HasPrefix(a.source, "--") {
		option = a.source
	}
	return fmt.Errorf("%s (%q) names no listener: the listeners are %s: use one of these names, or add %s://HOST:PORT to %s", a.told, l, strings.Join(names, ", "), cmp.Or(name, "NAME"), option)
}

// setAdvertised gives the listeners that an advertised address is for that address.
func setAdvertised(all []endpoint, name, host string, port int32, place, count int) bool {
	found := false
	for i := range all {
		if name != "" && strings.EqualFold(name, all[i].name) || name == "" && (count == 1 || i == place) {
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
