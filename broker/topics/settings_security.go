package topics

import (
	"maps"
	"slices"
	"strings"
)

// securityTable lists the settings of listeners, TLS, SASL and access control that have an effect here. None of them
// changes while the broker runs, but certificates and users do: their files are looked at again.
var securityTable = []setting{
	{name: "listeners", kind: kindList, standard: "PLAINTEXT://127.0.0.1:9092", meaning: "NAME://HOST:PORT to listen on, by comma; --listen wins over it"},
	{name: "advertised.listeners", kind: kindList, null: true, meaning: "NAME://HOST:PORT told to clients; without it they are told what they dialled; --advertise wins over it"},
	{name: "host.name", kind: kindText, null: true, hidden: true, meaning: "of Kafka's first years: where to listen, unless listeners says it"},
	{name: "port", kind: kindInt, null: true, max: 65535, hidden: true, meaning: "of Kafka's first years: the port to listen on, unless listeners says it"},
	{name: "advertised.host.name", kind: kindText, null: true, hidden: true, meaning: "of Kafka's first years: the host told to clients, unless listeners or advertised.listeners are given"},
	{name: "advertised.port", kind: kindInt, null: true, max: 65535, hidden: true, meaning: "of Kafka's first years: the port told to clients, unless listeners or advertised.listeners are given"},
	{name: "listener.security.protocol.map", kind: kindText, standard: "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
		meaning: "NAME:PROTOCOL of listeners, by comma"},
	{name: "controller.listener.names", kind: kindList, null: true, meaning: "listeners for controllers, which this broker does not open: it is its own controller"},
	{name: "control.plane.listener.name", kind: kindText, null: true, hidden: true, meaning: "a listener for the controller, which this broker does not open: it is its own"},
	{name: "max.connections.per.ip.overrides", kind: kindText, standard: "", meaning: "ADDRESS:COUNT, by comma, for addresses with another max.connections.per.ip"},
	{name: "max.connections.per.ip", kind: kindInt, standard: "2147483647", min: 0, reach: wholeCluster, meaning: "connections at a time from one address"},

	{name: "ssl.keystore.type", kind: kindText, standard: "PEM", meaning: "PEM; others must be converted"},
	{name: "ssl.keystore.location", kind: kindText, null: true, meaning: "PEM file with the broker's key and certificates, read again when it changes"},
	{name: "ssl.keystore.password", kind: kindPassword, null: true, meaning: "for other types than PEM"},
	{name: "ssl.keystore.key", kind: kindPassword, null: true, meaning: "the broker's key itself, as PEM, instead of a file"},
	{name: "ssl.keystore.certificate.chain", kind: kindPassword, null: true, meaning: "the broker's certificates themselves, as PEM, instead of a file"},
	{name: "ssl.key.password", kind: kindPassword, null: true, meaning: "of an encrypted key"},
	{name: "ssl.truststore.type", kind: kindText, standard: "PEM", meaning: "PEM; others must be converted"},
	{name: "ssl.truststore.location", kind: kindText, null: true, meaning: "PEM file of the authorities that sign clients' certificates, read again when it changes"},
	{name: "ssl.truststore.password", kind: kindPassword, null: true, meaning: "for other types than PEM"},
	{name: "ssl.truststore.certificates", kind: kindPassword, null: true, meaning: "the same certificates themselves, as PEM, instead of a file"},
	{name: "ssl.client.auth", kind: kindText, standard: "none", choices: []string{"required", "requested", "none"}, meaning: "whether clients show a certificate"},
	{name: "ssl.enabled.protocols", kind: kindList, standard: "TLSv1.2,TLSv1.3", choices: []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}, meaning: "versions of TLS"},
	{name: "ssl.cipher.suites", kind: kindList, standard: "", meaning: "cipher suites up to TLS 1.2, by their IANA names; empty: those of Go"},
	{name: "ssl.principal.mapping.rules", kind: kindText, standard: "DEFAULT", meaning: "how the name in a client's certificate becomes a user's"},

	{name: "sasl.enabled.mechanisms", kind: kindList, standard: "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", meaning: "ways to log in; GSSAPI and OAUTHBEARER are not served"},
	{name: "sasl.jaas.config", kind: kindPassword, null: true, meaning: "user_NAME=\"password\" entries, with the prefix of a listener and a mechanism"},
	{name: "sasl.server.max.receive.size", kind: kindInt, standard: "524288", min: 1024, meaning: "largest request of a client that has not logged in, in bytes"},
	{name: "connections.max.reauth.ms", kind: kindLong, standard: "0", min: 0, meaning: "a client must log in again after so long; 0: never"},
	{name: "connection.failed.authentication.delay.ms", kind: kindInt, standard: "100", min: 0, meaning: "a failed login is answered after so long at the soonest"},

	{name: "authorizer.class.name", kind: kindText, standard: "", choices: []string{"", "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"kafka.security.authorizer.AclAuthorizer", "kafka.security.auth.SimpleAclAuthorizer"}, meaning: "any of Kafka's turns access control on"},
	{name: "super.users", kind: kindText, standard: "", meaning: "User:NAME;User:NAME who may do everything"},
	{name: "allow.everyone.if.no.acl.found", kind: kindBool, standard: "false", meaning: "with access control, allow what no rule is about"},
}

// OfListener is the value of a setting for one listener: its own, else the one for all. Names of listeners are the same
// in upper and lower case.
func (s *Settings) OfListener(listener, name string) string {
	if v, ok := s.Own(listener, name); ok {
		return v
	}
	return s.Text(name)
}

// Own is the value of a setting that was given for one listener only. Kafka reads names of listeners in lower case; in any
// other case they count too, for a setting that protects a listener must not be lost over that.
func (s *Settings) Own(listener, name string) (string, bool) {
	given := s.now().given
	if v, ok := given[listenerPrefix+strings.ToLower(listener)+"."+name]; ok {
		return strings.TrimSpace(v), true
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if l, rest, ok := ofListener(key); ok && rest == name && strings.EqualFold(l, listener) {
			return strings.TrimSpace(given[key]), true
		}
	}
	return "", false
}

// ofListener takes the name of a setting apart that is for one listener only.
func ofListener(key string) (listener, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, listenerPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

// Given says whether a setting was given, at the start or later.
func (s *Settings) Given(name string) bool {
	_, ok := s.now().given[name]
	return ok
}

// Listeners are the names of listeners that settings were given for, in lower case and in order.
func (s *Settings) Listeners() []string {
	var names []string
	for key := range s.now().given {
		if listener, _, ok := ofListener(key); ok {
			names = append(names, strings.ToLower(listener))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
