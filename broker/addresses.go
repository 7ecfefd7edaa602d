package broker

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/topics"
)

// addresses are where to listen and what clients are told of it, each with the words that an error names them by.
type addresses struct {
	listen, advertise []string
	source, told      string
	typed             bool   // the advertised ones are
	made              string // the setting that the listeners were made of, where none were given
	defaulted         bool   // nobody said anything about listeners
}

// addresses finds them: those typed win over the settings. Where nothing names listeners they are those of Kafka's
// first years (host.name, port), else the ports that are advertised, on every address of the machine: so the start
// scripts of Kafka's images do it, and files written for them name nothing else.
func (c Config) addresses(set *topics.Settings) addresses {
	a := addresses{listen: c.Listen, source: c.ListenFlag, advertise: c.Advertise, told: "--advertise", typed: len(c.Advertise) > 0}
	if !a.typed && set.Given("advertised.listeners") {
		a.advertise, a.told = set.List("advertised.listeners"), c.named("advertised.listeners")
	}
	if len(a.listen) > 0 {
		return a
	}
	old := oldNames(set)
	switch {
	case set.Given("listeners"):
		a.listen, a.source = set.List("listeners"), c.named("listeners")
	case old != "" && (len(a.advertise) == 0 || set.Given("host.name") || set.Given("port")):
		a.made, a.source = old, c.named(old)
		host, port := set.Text("host.name"), cmp.Or(set.Text("port"), "9092")
		a.listen = []string{"PLAINTEXT://" + net.JoinHostPort(cmp.Or(host, "0.0.0.0"), port)}
		host, port = cmp.Or(set.Text("advertised.host.name"), host), cmp.Or(set.Text("advertised.port"), port)
		if len(a.advertise) == 0 && host != "" {
			a.advertise, a.told = []string{"PLAINTEXT://" + net.JoinHostPort(host, port)}, c.named(old)
		}
	case len(a.advertise) > 0 && !a.typed:
		a.made, a.source = "advertised.listeners", a.told
		for _, l := range a.advertise {
			name, addr := splitName(l)
			if _, port, err := net.SplitHostPort(addr); err == nil {
				addr = net.JoinHostPort("0.0.0.0", port)
			}
			if name != "" {
				addr = name + "://" + addr
			}
			a.listen = append(a.listen, addr)
		}
	default:
		a.listen, a.defaulted = []string{DefaultListen}, true
	}
	return a
}

// oldNames is the first given of the settings that named listeners in Kafka's first years.
func oldNames(set *topics.Settings) string {
	for _, name := range []string{"advertised.host.name", "advertised.port", "host.name", "port"} {
		if set.Given(name) && set.Text(name) != "" {
			return name
		}
	}
	return ""
}

// named is a setting with the place where it was found.
func (c Config) named(setting string) string {
	if c.Place != nil {
		if place := c.Place(setting); place != "" {
			return place + ": " + setting
		}
	}
	return setting
}

// tellListeners says what the operator did not say, and what may be a slip.
func (b *Broker) tellListeners(doors []*door) {
	log := b.cfg.Logger
	a := b.cfg.addresses(b.settings)
	speaks := said(doors)
	if a.made != "" {
		log.Info("no listeners are given: they are those of "+a.made, "listeners", strings.Join(speaks, ", "))
	}
	if !a.defaulted {
		return
	}
	for _, d := range doors {
		if d.port != 0 && !listensOn(doors, d.port) {
			log.Warn(fmt.Sprintf("port %d is advertised and not listened on: unless something forwards it, clients will not get in: name it with %s", d.port, b.cfg.ListenFlag),
				"listeners", strings.Join(speaks, ", "))
		}
	}
}

func listensOn(doors []*door, port int32) bool {
	return slices.ContainsFunc(doors, func(d *door) bool {
		tcp, ok := d.Addr().(*net.TCPAddr)
		return ok && tcp.Port == int(port)
	})
}

// said are the listeners as people are told of them.
func said(doors []*door) []string {
	var list []string
	for _, d := range doors {
		list = append(list, d.said())
	}
	return list
}

// said is the listener with its real address, and with what it speaks where its name does not say so.
func (d *door) said() string {
	said := d.name + "://" + d.Addr().String()
	if !strings.EqualFold(d.name, string(d.protocol)) {
		said += " (" + string(d.protocol) + ")"
	}
	return said
}
