package embedded

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// endStreams ends all watches and lease streams when closing ends: as unavailable, so that clients come back to
// the next start by themselves.
func endStreams(closing context.Context) grpc.ServerOption {
	return grpc.ChainStreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, cancel := context.WithCancel(ss.Context())
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		err := handle(srv, &stream{ServerStream: ss, ctx: ctx})
		if closing.Err() != nil {
			return status.Error(codes.Unavailable, "etcd is closing")
		}
		return err
	})
}

// stream is a stream with a context of its own, which lives as long as the call.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context ends when the client leaves or the member closes.
func (s *stream) Context() context.Context { return s.ctx }
