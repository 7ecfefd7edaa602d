package etcdconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Config says how to reach etcd.
type Config struct {
	Endpoints    []string      // URLs, http://127.0.0.1:2379; a bare host:port is taken as http; required
	CA           string        // file with the certificates that may sign etcd's; "": the system's
	Cert, Key    string        // files of the client's own certificate; both or none
	User         string        // etcd user; "": none
	PasswordFile string        // file that holds its password; required with User
	Timeout      time.Duration // of one request, default 3s
	Logger       *slog.Logger  // nil: discard
}

// Validate lists everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if len(c.Endpoints) == 0 {
		errs = append(errs, errors.New("Endpoints must name at least one URL, such as http://127.0.0.1:2379"))
	}
	for _, e := range c.Endpoints {
		if u, err := url.Parse(withScheme(e)); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("Endpoints (%q) must be a URL such as http://127.0.0.1:2379", e))
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, errors.New("Cert and Key must be given together"))
	}
	if (c.User == "") != (c.PasswordFile == "") {
		errs = append(errs, errors.New("User and PasswordFile must be given together"))
	}
	return errors.Join(errs...)
}

func withScheme(endpoint string) string {
	if strings.Contains(endpoint, "://") {
		return endpoint
	}
	return "http://" + endpoint
}

// Client reads and writes configuration and status in etcd. It is safe for concurrent use.
type Client struct {
	cfg   Config
	etcd  clientv3.Config
	sweep time.Duration // how often a watch is doubted
	lease time.Duration // time to live of a status

	mu struct {
		sync.Mutex
		v3 *clientv3.Client // nil until the first use that reached etcd, when a user is given
	}
}

// Dial prepares a client; etcd need not be there. The files of cfg are read now. Close it after use.
func Dial(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Timeout = orElse(cfg.Timeout, 3*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, sweep: 30 * time.Second, lease: 10 * time.Second}
	c.etcd = clientv3.Config{
		DialTimeout: cfg.Timeout,
		// A connection that died without a word is found out and replaced within this.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: zap.NewNop(), // what it would say is said by us, in the words of the user
	}
	for _, e := range cfg.Endpoints {
		c.etcd.Endpoints = append(c.etcd.Endpoints, withScheme(e))
	}
	if err := c.credentials(); err != nil {
		return nil, err
	}
	if cfg.User == "" {
		if _, err := c.v3(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// credentials reads the files that cfg names.
func (c *Client) credentials() error {
	if c.cfg.User != "" {
		password, err := os.ReadFile(c.cfg.PasswordFile)
		if err != nil {
			return fmt.Errorf("reading the etcd password: %w: name the file with --etcd-password-file", err)
		}
		c.etcd.Username, c.etcd.Password = c.cfg.User, strings.TrimRight(string(password), "\r\n")
		if c.etcd.Password == "" {
			return fmt.Errorf("reading the etcd password: %s is empty: it must hold the password of %s", c.cfg.PasswordFile, c.cfg.User)
		}
	}
	secure := c.cfg.CA != "" || c.cfg.Cert != ""
	for _, e := range c.etcd.Endpoints {
		secure = secure || strings.HasPrefix(e, "https://")
	}
	if !secure {
		return nil
	}
	c.etcd.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.cfg.CA != "" {
		pem, err := os.ReadFile(c.cfg.CA)
		if err != nil {
			return fmt.Errorf("reading the etcd CA: %w: name the file with --etcd-ca", err)
		}
		c.etcd.TLS.RootCAs = x509.NewCertPool()
		if !c.etcd.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("reading the etcd CA: %s holds no certificate in PEM form", c.cfg.CA)
		}
	}
	if c.cfg.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cfg.Cert, c.cfg.Key)
		if err != nil {
			return fmt.Errorf("reading the etcd client certificate: %w: name the files with --etcd-cert and --etcd-key", err)
		}
		c.etcd.TLS.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// v3 is etcd's own client. With a user its making asks for a token, so it is made when it is first needed and
// made again while etcd is away.
func (c *Client) v3() (*clientv3.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.v3 != nil {
		return c.mu.v3, nil
	}
	v3, err := clientv3.New(c.etcd)
	if err != nil {
		return nil, fmt.Errorf("connecting to etcd: %w", err)
	}
	c.mu.v3 = v3
	return v3, nil
}

// Close ends the connection; watches and publishers must have returned.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.v3 == nil {
		return nil
	}
	return c.mu.v3.Close()
}

// call makes one request, bounded in time, and says what a failure means for the one who asked.
func (c *Client) call(ctx context.Context, doing string, f func(ctx context.Context, v3 *clientv3.Client) error) error {
	v3, err := c.v3()
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		err = f(bounded, v3)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return c.explain(doing, err)
}
