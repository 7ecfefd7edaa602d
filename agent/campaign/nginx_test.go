package campaign

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// server is an nginx that logs what it is asked, as it stands there.
type server struct {
	bin, conf string
	conn      net.Conn
	answers   *bufio.Reader
}

// nginxConf serves nothing and logs the argument of each request.
const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 64; }
http {
	log_format line '$arg_l';
	access_log %[2]s line;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	keepalive_requests 100000000;
	keepalive_timeout 1h;
	server { listen unix:%[3]s; location / { return 204; } }
}
`

// beginNginx starts the server and connects to it.
func beginNginx(s *site) error {
	short, err := os.MkdirTemp("", "loghaul") // the name of a socket may have 108 bytes
	if err != nil {
		return err
	}
	s.t.Cleanup(func() { os.RemoveAll(short) })
	n := &server{bin: program(s.t, "nginx"), conf: filepath.Join(s.aux, "nginx.conf")}
	socket, conf := filepath.Join(short, "s"), nginxConf
	if os.Geteuid() == 0 { // else a worker is somebody who may not write here
		conf = "user root;\n" + conf
	}
	if err := os.WriteFile(n.conf, fmt.Appendf(nil, conf, s.aux, s.path, socket), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(n.bin, "-e", filepath.Join(s.aux, "error.log"), "-c", n.conf)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = n.signal("stop") // its workers end with it
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	for until := time.Now().Add(patience); ; pause(10 * time.Millisecond) {
		if n.conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		if closed(ended) || time.Now().After(until) {
			said, _ := os.ReadFile(filepath.Join(s.aux, "error.log"))
			return fmt.Errorf("nginx does not serve: %w\n%s", err, said)
		}
	}
	s.t.Cleanup(func() { n.conn.Close() })
	n.answers = bufio.NewReader(n.conn)
	s.any = n
	return nil
}

// signal tells the server something, as an administrator's script does.
func (n *server) signal(what string) error {
	out, err := exec.Command(n.bin, "-e", filepath.Join(filepath.Dir(n.conf), "error.log"), "-c", n.conf, "-s", what).CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx -s %s: %w\n%s", what, err, out)
	}
	return nil
}

// writeNginx asks for each line and waits for the answers: a request that is answered is
// logged.
func writeNginx(s *site, lines []string) error {
	n := s.any.(*server)
	var asks strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&asks, "GET /?l=%s HTTP/1.1\r\nHost: a\r\n\r\n", l)
	}
	if err := n.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := make(chan error, 1) // holds what came of the one send
	go func() {
		_, err := n.conn.Write([]byte(asks.String()))
		sent <- err
	}()
	for got := 0; got < len(lines); {
		head, err := n.answers.ReadString('\n')
		if err != nil {
			return fmt.Errorf("waiting for an answer of nginx: %w", err)
		}
		if strings.HasPrefix(head, "HTTP/1.1 ") {
			if got++; !strings.HasPrefix(head, "HTTP/1.1 204") {
				return fmt.Errorf("nginx answers %q", head)
			}
		}
	}
	return <-sent
}

// turnNginx does what nginx's documentation says: rename, then USR1, upon which each
// worker opens the path anew.
func turnNginx(s *site) error {
	if err := shiftNames(s.path, s.turns); err != nil {
		return err
	}
	pause(time.Duration(s.rng2().IntN(100)) * time.Millisecond) // lines still go to the old file
	if err := s.any.(*server).signal("reopen"); err != nil {
		return err
	}
	for until := time.Now().Add(patience); ; pause(5 * time.Millisecond) {
		if _, err := os.Stat(s.path); err == nil {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("nginx does not open its log anew")
		}
	}
}
