package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/certs"
	"github.com/loghaul/loghaul/broker/handle"
	"github.com/loghaul/loghaul/broker/users"
)

// securityFolder is where users and rules of access control lie in the data folder. No topic's folder is called so.
const securityFolder = "security"

// security is who may come in, and who may do what.
type security struct {
	users *users.Users
	acl   *acl.Authorizer // nil: everybody may do everything
}

// openSecurity reads users and rules.
func (b *Broker) openSecurity() (security, error) {
	dir := filepath.Join(b.cfg.Data, securityFolder)
	var s security
	var err error
	if s.users, err = users.OpenOn(b.cfg.Disk, dir, b.cfg.Logger); err != nil {
		return s, err
	}
	if b.settings.Text("authorizer.class.name") == "" {
		return s, nil
	}
	s.acl, err = acl.Open(acl.Config{Dir: dir, Disk: b.cfg.Disk, SuperUsers: acl.ParseSuperUsers(b.settings.Text("super.users")),
		AllowIfNone: b.settings.Bool("allow.everyone.if.no.acl.found"), Logger: b.cfg.Logger})
	return s, err
}

// door is one listener with what its clients must show.
type door struct {
	endpoint
	net.Listener
	certs *certs.Server // nil: no TLS
	sasl  *handle.SASL  // nil: no login
	most  int64         // connections at a time; negative: as many as the broker takes
}

// guard reads what a listener needs to know its clients.
func (b *Broker) guard(d *door, s security) error {
	var err error
	if d.protocol.tls() {
		if d.certs, err = b.certificates(d.endpoint); err != nil {
			return fmt.Errorf("listener %s: %w", d.name, err)
		}
	}
	if d.protocol.sasl() {
		if d.sasl, err = b.logins(d.name, s.users); err != nil {
			return fmt.Errorf("listener %s: %w", d.name, err)
		}
	}
	return nil
}

func (b *Broker) certificates(e endpoint) (*certs.Server, error) {
	cfg := certs.Config{CertFile: b.cfg.TLSCert, KeyFile: b.cfg.TLSKey, ClientCAFile: b.cfg.TLSClientCA, Logger: b.cfg.Logger.With("listener", e.name)}
	cfg.Setting = func(name string) string {
		if name == "ssl.client.auth" && e.protocol.sasl() { // who logs in needs no certificate, unless this very listener says so
			own, _ := b.settings.Own(e.name, name)
			return own
		}
		return b.settings.OfListener(e.name, name)
	}
	if _, own := b.settings.Own(e.name, "ssl.client.auth"); b.cfg.TLSClientCA != "" && !own {
		cfg.ClientAuth = "required"
	}
	return certs.Open(cfg)
}

// notServed are Kafka's mechanisms that need what is not here.
var notServed = []string{"GSSAPI", "OAUTHBEARER"}

// logins reads how clients of a listener log in.
func (b *Broker) logins(listener string, known *users.Users) (*handle.SASL, error) {
	s := &handle.SASL{Users: known, Static: map[users.Mechanism]map[string]users.Credential{}, Lifetime: map[users.Mechanism]time.Duration{}}
	var left []string
	for name := range strings.SplitSeq(b.settings.OfListener(listener, "sasl.enabled.mechanisms"), ",") {
		name = strings.TrimSpace(name)
		m := users.Mechanism(name)
		switch {
		case name == "":
		case slices.Contains(users.Mechanisms(), m):
			s.Mechanisms = append(s.Mechanisms, m)
		case slices.Contains(notServed, name):
			left = append(left, name)
		default:
			return nil, fmt.Errorf("sasl.enabled.mechanisms: %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", name)
		}
	}
	if len(s.Mechanisms) == 0 {
		return nil, errors.New("sasl.enabled.mechanisms must name at least one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512")
	}
	if len(left) > 0 {
		b.cfg.Logger.Warn("ways to log in that are not served here: "+strings.Join(left, ", "), "listener", listener)
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(b.settings.OfListener(listener, name), 10, 64) // checked before
		return n
	}
	s.Delay = time.Duration(number("connection.failed.authentication.delay.ms")) * time.Millisecond
	s.MaxRequest = int(number("sasl.server.max.receive.size"))
	for _, m := range s.Mechanisms {
		own := strings.ToLower(string(m)) + "."
		s.Lifetime[m] = time.Duration(number("connections.max.reauth.ms")) * time.Millisecond
		if v, ok := b.settings.Own(listener, own+"connections.max.reauth.ms"); ok {
			n, _ := strconv.ParseInt(v, 10, 64) // checked before
			s.Lifetime[m] = time.Duration(n) * time.Millisecond
		}
		if config, ok := b.settings.Own(listener, own+"sasl.jaas.config"); ok {
			var err error
			if s.Static[m], err = staticUsers(m, config); err != nil {
				return nil, fmt.Errorf("listener.name.%s.%ssasl.jaas.config: %w", strings.ToLower(listener), own, err)
			}
		}
	}
	return s, nil
}

// staticUsers are the user_NAME entries of a login module, hashed: the passwords are not kept.
func staticUsers(m users.Mechanism, config string) (map[string]users.Credential, error) {
	module, options, err := users.ParseJAAS(config)
	if err != nil {
		return nil, err
	}
	if want := map[bool]string{true: "PlainLoginModule", false: "ScramLoginModule"}[m == users.Plain]; !strings.HasSuffix(module, "."+want) {
		return nil, fmt.Errorf("the login module for %s must be %s", m, want)
	}
	hashed := map[string]users.Credential{}
	for name, password := range users.StaticPasswords(options) {
		if err := users.CheckName(name); err != nil {
			return nil, err
		}
		if password == "" {
			return nil, fmt.Errorf("the password of user %q is empty", name)
		}
		as := m
		if m == users.Plain {
			as = users.SHA256
		}
		if hashed[name], err = users.Derive(as, password, users.DefaultIterations); err != nil {
			return nil, err
		}
	}
	return hashed, nil
}

// warnOf says loudly what stands open to whom.
func (d *door) warnOf(log *slog.Logger, s security) {
	tcp, ok := d.Addr().(*net.TCPAddr)
	if d.sasl != nil && len(s.users.List()) == 0 && !d.sasl.HasStatic() {
		log.Warn("nobody can log in yet: add a user with loghaul broker user add NAME", "listener", d.name)
	}
	if !ok || tcp.IP.IsLoopback() {
		return
	}
	_, required := false, false
	if d.certs != nil {
		_, required = d.certs.Asks()
	}
	what := ""
	switch {
	case d.sasl != nil && d.certs == nil:
		log.Warn("passwords and records cross the network unencrypted on this listener: use SASL_SSL", "listener", d.name, "listen", d.Addr().String())
		return
	case d.sasl != nil || required:
		return
	case d.certs != nil:
		what = "PASSWORDS OR CLIENT CERTIFICATES"
	default:
		what = "TLS OR PASSWORDS"
	}
	can := "read, write and delete every topic"
	if s.acl != nil {
		can = "do what access control allows User:ANONYMOUS"
	}
	log.Warn("LISTENING BEYOND THIS MACHINE WITHOUT "+what+": whoever reaches this port can "+can+
		"; listen on 127.0.0.1, ask for passwords (SASL_SSL), or keep strangers away with a firewall", "listener", d.name, "listen", d.Addr().String())
}
