package embedded

import (
	"net"
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The member holds a few thousand small values, so it is cut down from etcd's own sizes, which are made for
// Kubernetes.
const (
	quota       = 256 << 20 // most bytes of the database; also what is mapped, instead of 10 GiB
	snapshot    = 2000      // log entries between snapshots, which bound what a start replays
	catchUp     = 200       // log entries kept in memory: there is no follower that could need more
	walSegment  = 8 << 20   // preallocated, two at a time, instead of 64 MB each
	tick        = 50        // ms; a member alone needs no patience with others
	election    = 250       // ms; it elects itself after one to two rounds at start
	maxRequest  = 1536 << 10
	compaction  = "1h" // history older than this goes, every hour
	clusterName = "loghaul"
)

func init() { wal.SegmentSizeBytes = walSegment } // etcd has no setting for it

// settings is one member alone, that clients reach by gRPC on listen and nobody by anything else.
func settings(dir string, listen url.URL, log zapcore.Core) *embed.Config {
	// etcd wants a peer address even for a member that has no peers. Port 0 takes a free one on loopback, and
	// the advertised address is never dialled.
	peer := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	c := embed.NewConfig()
	c.Name, c.Dir = clusterName, dir
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{listen}, []url.URL{listen}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs, c.PreVote = tick, election, false
	c.QuotaBackendBytes, c.SnapshotCount, c.SnapshotCatchUpEntries = quota, snapshot, catchUp
	c.MaxSnapFiles, c.MaxWalFiles, c.MaxRequestBytes = 2, 2, maxRequest
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, compaction
	// With the gateway or CORS, any web page open on this machine could put a key.
	c.EnableGRPCGateway = false
	c.CORS = map[string]struct{}{"nowhere": {}} // an empty set would mean: from everywhere
	if ip := net.ParseIP(listen.Hostname()); ip != nil && ip.IsLoopback() {
		// A name that someone points at 127.0.0.1 gets no answer, not even the version.
		c.HostWhitelist = map[string]struct{}{"127.0.0.1": {}, "::1": {}, "localhost": {}}
	}
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(log))
	return c
}
