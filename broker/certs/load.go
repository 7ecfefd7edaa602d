package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// loaded is one reading of all there is.
type loaded struct {
	tls     *tls.Config
	files   []file
	content [sha256.Size]byte
	expires time.Time
}

// load reads keys and certificates. Its files and content are right even when there is an error.
func (s *Server) load() (loaded, error) {
	var l loaded
	sum := sha256.New()
	read := func(path string) ([]byte, error) {
		info, _ := os.Stat(path) // a missing one shows in the reading
		l.files = append(l.files, file{path, info})
		data, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d %v\n%s", path, len(data), err != nil, data)
		return data, err
	}
	pair, pairErr := s.keyPair(read)
	roots, rootsErr := s.trusted(read)
	l.content = [sha256.Size]byte(sum.Sum(nil))
	if err := errors.Join(pairErr, rootsErr); err != nil {
		return l, err
	}
	l.expires = pair.Leaf.NotAfter
	l.tls = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots}
	return l, errors.Join(s.clientAuth(l.tls), s.versions(l.tls), s.suites(l.tls))
}

// keyPair is the broker's own key with its certificates.
func (s *Server) keyPair(read func(string) ([]byte, error)) (tls.Certificate, error) {
	set := s.cfg.Setting
	var certPEM, keyPEM []byte
	var err error
	where := ""
	switch location := set("ssl.keystore.location"); {
	case s.cfg.CertFile != "" || s.cfg.KeyFile != "":
		where = "--tls-cert " + s.cfg.CertFile + " and --tls-key " + s.cfg.KeyFile
		if certPEM, err = read(s.cfg.CertFile); err == nil {
			keyPEM, err = read(s.cfg.KeyFile)
		}
	case set("ssl.keystore.key") != "" || set("ssl.keystore.certificate.chain") != "":
		where = "ssl.keystore.key and ssl.keystore.certificate.chain"
		keyPEM, certPEM = unfold(set("ssl.keystore.key")), unfold(set("ssl.keystore.certificate.chain"))
	case location != "":
		where = "ssl.keystore.location " + location
		if certPEM, err = read(location); err == nil {
			err = checkType("ssl.keystore", set("ssl.keystore.type"), location, certPEM)
		}
		keyPEM = certPEM
	default:
		return tls.Certificate{}, errors.New("a TLS listener needs a certificate: give --tls-cert FILE and --tls-key FILE, or set ssl.keystore.type=PEM and ssl.keystore.location=FILE, a PEM file with the key and the certificates")
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading %s: %w", where, err)
	}
	if strings.Contains(string(keyPEM), "ENCRYPTED") {
		return tls.Certificate{}, fmt.Errorf("reading %s: the key is encrypted, and ssl.key.password is not served: take the password off with openssl pkcs8 -in KEY.pem -out PLAIN.pem", where)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err == nil && pair.Leaf == nil {
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return pair, fmt.Errorf("reading %s: %w", where, err)
	}
	return pair, nil
}

// trusted are the authorities that sign clients' certificates; nil when none are named.
func (s *Server) trusted(read func(string) ([]byte, error)) (*x509.CertPool, error) {
	set := s.cfg.Setting
	var data []byte
	var err error
	where := ""
	switch location := set("ssl.truststore.location"); {
	case s.cfg.ClientCAFile != "":
		where = "--tls-client-ca " + s.cfg.ClientCAFile
		data, err = read(s.cfg.ClientCAFile)
	case set("ssl.truststore.certificates") != "":
		where, data = "ssl.truststore.certificates", unfold(set("ssl.truststore.certificates"))
	case location != "":
		where = "ssl.truststore.location " + location
		if data, err = read(location); err == nil {
			err = checkType("ssl.truststore", set("ssl.truststore.type"), location, data)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", where, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading %s: there is no PEM certificate in it", where)
	}
	return pool, nil
}

// clientAuth says what clients must show.
func (s *Server) clientAuth(c *tls.Config) error {
	auth := s.cfg.ClientAuth
	if auth == "" {
		auth = s.cfg.Setting("ssl.client.auth")
	}
	switch strings.ToLower(auth) {
	case "required":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case "requested":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		return nil
	}
	if c.ClientCAs == nil {
		return fmt.Errorf("ssl.client.auth=%s needs the authorities that sign clients' certificates: set ssl.truststore.type=PEM and ssl.truststore.location=FILE", auth)
	}
	return nil
}

var versionNumbers = map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

// versions are from the least to the greatest of ssl.enabled.protocols.
func (s *Server) versions(c *tls.Config) error {
	for name := range strings.SplitSeq(s.cfg.Setting("ssl.enabled.protocols"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		v, ok := versionNumbers[name]
		if !ok {
			return fmt.Errorf("ssl.enabled.protocols: %q is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", name)
		}
		if c.MinVersion == 0 || v < c.MinVersion {
			c.MinVersion = v
		}
		c.MaxVersion = max(c.MaxVersion, v)
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return nil
}

// suites are the cipher suites by their IANA names. Those of TLS 1.3 are always on.
func (s *Server) suites(c *tls.Config) error {
	known := map[string]*tls.CipherSuite{}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		known[suite.Name] = suite
	}
	for name := range strings.SplitSeq(s.cfg.Setting("ssl.cipher.suites"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		suite := known[name]
		if suite == nil {
			return fmt.Errorf("ssl.cipher.suites: %q is not known here", name)
		}
		c.CipherSuites = append(c.CipherSuites, suite.ID)
	}
	return nil
}
