// Package certs reads certificates as Kafka's ssl.* settings name them, follows their files, and says which user a
// client's certificate stands for.
package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// lookEvery is the time between two looks at the files.
const lookEvery = time.Second

// Config says where the certificates of one listener are. Only Setting is required.
type Config struct {
	// Setting is the value of one of Kafka's ssl.* settings for this listener, empty when it has none.
	Setting func(name string) string
	// CertFile and KeyFile are PEM files that win over the settings of the key store.
	CertFile, KeyFile string
	// ClientCAFile is a PEM file that wins over the settings of the trust store, and turns client certificates on.
	ClientCAFile string
	// ClientAuth wins over ssl.client.auth unless it is empty.
	ClientAuth string
	// Logger is told when certificates were read again, or could not be; nil discards.
	Logger *slog.Logger
}

// Server is the certificates of one listener as they are now. It is safe for concurrent use.
type Server struct {
	cfg   Config
	rules Rules
	now   atomic.Pointer[tls.Config]
	files []file // for the goroutine that looks

	content [sha256.Size]byte // of all files together, when they were last read
	failed  [sha256.Size]byte // the same, of the last that could not be used
	failing int               // looks in a row that found it so
}

// file is one that is followed.
type file struct {
	path string
	info os.FileInfo
}

// Open reads the certificates; what is wrong with them comes with its mend.
func Open(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg}
	var err error
	if s.rules, err = ParseRules(cfg.Setting("ssl.principal.mapping.rules")); err != nil {
		return nil, fmt.Errorf("ssl.principal.mapping.rules: %w", err)
	}
	loaded, err := s.load()
	if err != nil {
		return nil, err
	}
	s.now.Store(loaded.tls)
	s.files, s.content = loaded.files, loaded.content
	return s, nil
}

// TLS is the server's side of every handshake: each uses the certificates as they are when it begins.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.now.Load(), nil }}
}

// Asks says whether clients are asked for a certificate, and whether they must have one.
func (s *Server) Asks() (asked, required bool) {
	auth := s.now.Load().ClientAuth
	return auth != tls.NoClientCert, auth == tls.RequireAndVerifyClientCert
}

// User is the name that the client's certificate stands for, empty when it showed none.
func (s *Server) User(state tls.ConnectionState) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return "", nil
	}
	name, err := DistinguishedName(state.PeerCertificates[0].RawSubject)
	if err != nil {
		return "", fmt.Errorf("reading the subject of a client's certificate: %w", err)
	}
	return s.rules.Apply(name)
}

// Run looks at the files until ctx ends, and takes over what changed.
func (s *Server) Run(ctx context.Context) error {
	if len(s.files) == 0 { // all is in the settings
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.look()
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads the files again if one of them is another than it was. What cannot be used leaves the old certificates as
// they are, and is said once it has stayed so for two looks: a key and its certificate seldom change at the same moment.
func (s *Server) look() {
	if !s.changed() && s.failing == 0 {
		return
	}
	loaded, err := s.load()
	s.files = loaded.files
	if err != nil {
		if s.failed != loaded.content {
			s.failed, s.failing = loaded.content, 0
		}
		if s.failing++; s.failing == 2 {
			s.cfg.Logger.Error("changed certificates cannot be used; those from before still count", "error", err)
		}
		return
	}
	s.failed, s.failing = [sha256.Size]byte{}, 0
	if loaded.content == s.content {
		return // touched, or changed back
	}
	s.content = loaded.content
	s.now.Store(loaded.tls)
	s.cfg.Logger.Info("read the certificates again: new connections get them", "expires", loaded.expires)
}

// changed says whether a file is another than the one that was read.
func (s *Server) changed() bool {
	for _, f := range s.files {
		info, err := os.Stat(f.path)
		if err != nil || f.info == nil || !os.SameFile(info, f.info) || !info.ModTime().Equal(f.info.ModTime()) || info.Size() != f.info.Size() {
			return true
		}
	}
	return false
}
