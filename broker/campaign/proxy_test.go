package campaign

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is the wire between clients and a broker that loses its power: from cut on, nothing more gets through.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup
	mu       struct {
		sync.Mutex
		to    string        // empty: the power is gone
		up    chan struct{} // closed once it is back
		conns map[net.Conn]bool
	}
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l}
	p.mu.conns, p.mu.up = map[net.Conn]bool{}, make(chan struct{})
	p.running.Go(p.accept)
	t.Cleanup(func() { l.Close(); p.cut(); p.lead("nowhere"); p.running.Wait() })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// lead sends who comes from now on to a broker.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.to = to
	close(p.mu.up)
}

// cut ends all connections. When it returns, no answer of the broker can reach a client any more.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.to != "" {
		p.mu.to, p.mu.up = "", make(chan struct{})
	}
	for conn := range p.mu.conns {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset: clients take a first answer that ends early for a wrong protocol
		conn.Close()
	}
	clear(p.mu.conns)
}

// keep takes a connection among those that cut ends, unless the power is gone.
func (p *proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.to == "" {
		return false
	}
	p.mu.conns[conn] = true
	return true
}

// wait returns the broker once there is one.
func (p *proxy) wait() string {
	for {
		p.mu.Lock()
		to, up := p.mu.to, p.mu.up
		p.mu.Unlock()
		if to != "" {
			return to
		}
		<-up // by lead, at the latest when the test ends
	}
}

func (p *proxy) drop(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.conns, conn)
	conn.Close()
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(conn) })
	}
}

// serve passes bytes both ways until one side ends.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	to := p.wait()
	server, err := net.Dial("tcp", to)
	if err != nil {
		_ = client.(*net.TCPConn).SetLinger(0)
		return
	}
	defer server.Close()
	if !p.keep(client) {
		_ = client.(*net.TCPConn).SetLinger(0)
		return
	}
	defer p.drop(client)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(client, server)
		client.Close()
	})
	_, _ = io.Copy(server, client)
	server.Close()
	back.Wait()
}
