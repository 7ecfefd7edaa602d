// Package handle answers the requests of the Kafka protocol, one file for each: decode, check, act on the
// rooms below, answer. One table says which requests and versions there are, and ApiVersions serves that
// same table.
package handle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/broker/users"
	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// NodeID is the id of the only broker of this cluster.
const NodeID int32 = 1

// Config is what the handlers work on.
type Config struct {
	ClusterID string         // of meta.properties, stable over restarts
	Topics    *topics.Topics // the partitions and their settings
	Coordinators
	Users  *users.Users    // who may log in, for the requests that change them
	Access *acl.Authorizer // who may do what; nil: everybody everything
	Quotas *quota.Quotas   // what clients may move
	Level  *slog.LevelVar  // of the Logger, for clients that change it; nil: it is fixed
	Meter  Meter           // counts what goes in and out; nil counts nothing
	Room   Room            // keeps the disk from being filled; nil: it never is
	Logger *slog.Logger    // nil discards
}

// Meter is told what the handlers move. It is called by many goroutines at once.
type Meter interface {
	// Received counts batches that were appended to a topic.
	Received(topic string, records, bytes int)
	// Sent counts batches that were sent to a client.
	Sent(topic string, records, bytes int)
	// Refused says that a partition of a Produce request was answered with an error, Kafka's code for it.
	Refused(code int16)
	// Throttled says that a client was told to wait so long because of a quota.
	Throttled(key quota.Key, d time.Duration)
	// Deleted says that a topic is gone.
	Deleted(topic string)
}

// Handlers answers requests; it is safe for concurrent use by all connections.
type Handlers struct {
	cfg  Config
	log  *slog.Logger
	room *semaphore.Weighted // bytes of requests that kmsg may take apart at a time

	polls    *semaphore.Weighted // bytes of large Fetch requests that wait for records
	searches *semaphore.Weighted // logs that are searched for a time

	stops        stops  // of readers, at damaged records
	noIDs, login seldom // lines about producer ids, and about logins that nobody asked for

	draining chan struct{} // closed by Drain
	drain    sync.Once
}

// New makes the handlers. It starts nothing.
func New(cfg Config) *Handlers {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Meter == nil {
		cfg.Meter = noMeter{}
	}
	if cfg.Room == nil {
		cfg.Room = endless{}
	}
	return &Handlers{cfg: cfg, log: cfg.Logger, room: semaphore.NewWeighted(decodedRoom),
		polls: semaphore.NewWeighted(pollsRoom(cfg.Topics)), searches: semaphore.NewWeighted(mostSearches), draining: make(chan struct{})}
}

// Drain makes Fetch requests answer at once instead of waiting for records, for the end of the broker.
func (h *Handlers) Drain() { h.drain.Do(func() { close(h.draining) }) }

// Peer is the other end of a connection.
type Peer struct {
	Connection uint64 // its number among all of this start of the broker, for the log
	ClientID   string // as the client calls itself in this request, may be empty
	Remote     string // its address, host:port
	IP         string // the same without the port, as rules of access control name it
	Listener   string // the name of the listener it came in by, may be empty
	Principal  string // who it has shown to be, User:NAME; User:ANONYMOUS before and without that
	Host       string // by which it reaches this broker, as Metadata and FindCoordinator tell it
	Port       int32
	mute       *mute // of its connection, set by NewSession
}

// Request is one decoded request and who sent it.
type Request struct {
	Body kmsg.Request // decoded, at its version; its byte slices alias the frame and end with the handler
	Peer
	session *Session // only for logging in
}

// action answers one request. An error closes the connection, so what the client did wrong is
// answered with an error code instead. ctx ends when the connection or the broker ends. Who must wait returns a later.
type action func(h *Handlers, ctx context.Context, r *Request) (kmsg.Response, error)

// Reply is an answer on its way. The connection calls exactly one of its methods, once, and replies in the order
// of their requests.
type Reply interface {
	// Send waits for what the answer needs (durability, new records), then writes it.
	Send(ctx context.Context, out *wire.Out) error
	// Drop gives up the answer.
	Drop()
}

// Ready is a Reply that may be complete already, so that it can be written together with others. When it says so, the
// connection writes those bytes and calls none of the Reply's other methods.
type Ready interface{ Ready() ([]byte, bool) }

// Sized is a Reply that knows how many bytes it holds while it waits for its turn.
type Sized interface{ Size() int }

// RefusedError says that a request is not served: the connection is closed, as Kafka closes it.
type RefusedError struct {
	Key, Version int16
	Err          error
}

// Error names the request.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("request %s (key %d) version %d: %v", kmsg.NameForKey(e.Key), e.Key, e.Version, e.Err)
}

// Unwrap is the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

var errNotServed = errors.New("not supported by this broker")

// Handle decodes one request and acts on it. What must be waited for is left to the Reply, so that the next request
// of the same connection can be worked on meanwhile; a nil Reply means that the client wants no answer. The frame
// belongs to Handle. An error closes the connection, a *FarewellError after its Reply is sent.
func (h *Handlers) Handle(ctx context.Context, frame *wire.Frame, s *Session) (wire.Header, Reply, error) {
	if s.Bare() {
		defer frame.Release()
		reply, err := s.bareToken(ctx, frame.Bytes)
		return wire.Header{Key: keySASLAuthenticate}, reply, err
	}
	header, body, err := wire.ParseHeader(frame.Bytes)
	if err != nil {
		defer frame.Release()
		return header, nil, fmt.Errorf("reading a request header: %w", err)
	}
	if err := s.admit(header.Key); err != nil {
		frame.Release()
		return header, nil, &RefusedError{header.Key, header.Version, err}
	}
	reply, err := h.route(ctx, frame, header, body, s)
	if _, farewell := errors.AsType[*FarewellError](err); err != nil && !farewell {
		err = &RefusedError{header.Key, header.Version, err}
	}
	return header, reply, err
}

// route finds the request's row in the table and takes the way it says.
func (h *Handlers) route(ctx context.Context, frame *wire.Frame, header wire.Header, body []byte, s *Session) (Reply, error) {
	r := find(header.Key)
	if r == nil || !r.serves(header.Version) {
		defer frame.Release()
		if r != nil && header.Key == keyAPIVersions {
			return unknownAPIVersions(header), nil
		}
		if r != nil {
			return nil, fmt.Errorf("%w: it serves versions %d to %d", errNotServed, r.min, r.max)
		}
		return nil, errNotServed
	}
	if header.Version >= r.flexible {
		var err error
		if body, err = wire.SkipTags(body); err != nil {
			frame.Release()
			return nil, err
		}
	}
	s.peer.ClientID = header.ClientID
	switch header.Key {
	case keyProduce:
		defer frame.Release() // its batches are in the log when produce returns
		return h.produce(header, body, s.peer)
	case keyFetch:
		return h.fetch(frame, header, body, s.peer)
	}
	defer frame.Release()
	return h.plain(ctx, r, header, body, s)
}

// kmsg's structs are up to a hundred times larger than the bytes they come from, so requests above smallBody bytes share
// decodedRoom, which holds the largest that wire lets in.
const (
	smallBody   = 16 << 10
	decodedRoom = 4 << 20
)

// plain serves a request that kmsg decodes and encodes.
func (h *Handlers) plain(ctx context.Context, r *row, header wire.Header, body []byte, s *Session) (Reply, error) {
	if _, err := wire.Skim(header.Key, header.Version, body); err != nil {
		return nil, err // kmsg believes every count of tags
	}
	if n := min(int64(len(body)), decodedRoom); n > smallBody {
		if err := h.room.Acquire(ctx, n); err != nil {
			return nil, err
		}
		defer h.room.Release(n)
	}
	req := kmsg.RequestForKey(header.Key)
	req.SetVersion(header.Version)
	if err := req.ReadFrom(body); err != nil {
		return nil, err
	}
	request := &Request{Body: req, Peer: s.peer, session: s}
	resp, err := r.act(h, ctx, request)
	if bye, ok := errors.AsType[*FarewellError](err); ok {
		return delayed{encode(header, resp), bye.until}, err
	}
	if err != nil {
		return nil, err
	}
	if l, ok := resp.(later); ok {
		return laterReply{header, l}, nil
	}
	return encode(header, resp), nil
}

// later is what an action returns when its answer must be waited for. Wait is called when the answers to all earlier
// requests of the connection are sent, while later requests are worked on already; the request's byte slices are not
// valid any more. With an ended ctx it gives up.
type later struct {
	kmsg.Response // may be nil
	wait          func(ctx context.Context) (kmsg.Response, error)
	drop          func() // in place of wait, when nobody is there to answer; may be nil
}

// laterReply is such an answer in the connection's queue.
type laterReply struct {
	header wire.Header
	later  later
}

// Send waits for the answer and writes it.
func (l laterReply) Send(ctx context.Context, out *wire.Out) error {
	resp, err := l.later.wait(ctx)
	if err != nil {
		return err
	}
	return out.Write(encode(l.header, resp))
}

// Drop gives up the wait, so that nobody counts on this client; what the request did stays done.
func (l laterReply) Drop() {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = l.later.wait(gone) // whatever it says, there is nobody to hear it
}

// bytesReply is an answer that is ready.
type bytesReply []byte

// Send writes it.
func (b bytesReply) Send(_ context.Context, out *wire.Out) error { return out.Write(b) }

// Ready says that it is.
func (b bytesReply) Ready() ([]byte, bool) { return b, true }

// Drop has nothing to give back.
func (b bytesReply) Drop() {}

// Size is its length.
func (b bytesReply) Size() int { return len(b) }

// encode puts header and response into one frame.
func encode(header wire.Header, resp kmsg.Response) bytesReply {
	flexible := resp.IsFlexible() && header.Key != keyAPIVersions
	b := wire.AppendResponseHeader(make([]byte, 0, 256), header.Correlation, flexible)
	b = resp.AppendTo(b)
	wire.SetLength(b, 0)
	return b
}

type noMeter struct{}

func (noMeter) Received(string, int, int)          {}
func (noMeter) Sent(string, int, int)              {}
func (noMeter) Refused(int16)                      {}
func (noMeter) Throttled(quota.Key, time.Duration) {}
func (noMeter) Deleted(string)                     {}
