package etcdconf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrNotFound says that there is no value of that name.
var ErrNotFound = errors.New("no such value")

// ErrConflict says that the value changed since it was read: read it again, then decide again.
var ErrConflict = errors.New("changed meanwhile")

// ErrAway says that etcd was not reached or has no leader.
var ErrAway = errors.New("etcd does not answer")

// away says that etcd was not reached or has no leader, which passes by itself. Everything else is an answer.
func away(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	}
	return false
}

// denied says that etcd knows us not, or not as one who may do this.
func denied(err error) bool {
	for _, e := range []error{rpctypes.ErrPermissionDenied, rpctypes.ErrAuthFailed, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken} {
		if errors.Is(rpctypes.Error(err), e) {
			return true
		}
	}
	return code(err) == codes.PermissionDenied || code(err) == codes.Unauthenticated
}

func code(err error) codes.Code {
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code()
	}
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.Unknown
}

// explain names the address and the mend of a failure to reach etcd.
func (c *Client) explain(doing string, err error) error {
	where := strings.Join(c.etcd.Endpoints, ",")
	if away(err) {
		if reason := c.probe(); reason != nil {
			err = reason
		} else {
			err = fmt.Errorf("no answer within %s", c.cfg.Timeout)
		}
		return fmt.Errorf("%s: %w at %s (%v): start it, or name another with --etcd", doing, ErrAway, where, err)
	}
	if denied(err) {
		return fmt.Errorf("%s: etcd at %s refuses: %w: see --etcd-user, --etcd-password-file and the roles of that user", doing, where, err)
	}
	return fmt.Errorf("%s: etcd at %s: %w", doing, where, err)
}

// probe asks the network why there is no answer; nil when something listens.
func (c *Client) probe() error {
	u, err := url.Parse(c.etcd.Endpoints[0])
	if err != nil {
		return err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "2379")
	}
	conn, err := net.DialTimeout("tcp", host, 500*time.Millisecond)
	if err != nil {
		return err
	}
	conn.Close()
	return nil
}
