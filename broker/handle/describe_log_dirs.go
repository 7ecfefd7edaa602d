package handle

import (
	"context"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs (key 35): how many bytes each partition has on the disk.
//
// Versions 0 to 4. There is one folder and one copy of everything, so no lag and no future log. A null topic list asks
// for all topics; what is asked for and not there is left out, as Kafka does.
//
// Version notes: 3 has an error code of the whole; 4 says how large the disk is and how much of it is free.
func (h *Handlers) describeLogDirs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	if !h.mayCluster(r.Peer, acl.Describe) {
		resp.ErrorCode = errClusterAuthorizationFailed
		return resp, nil
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = h.cfg.Topics.Folder()
	dir.TotalBytes, dir.UsableBytes = disk.Space(dir.Dir)
	if req.Topics == nil {
		for _, t := range h.cfg.Topics.List() {
			dir.Topics = append(dir.Topics, sizesOf(t, nil))
		}
	}
	asked := map[string]map[int32]bool{} // each is answered once, however often it is named
	for _, t := range req.Topics {
		if asked[t.Topic] == nil {
			asked[t.Topic] = map[int32]bool{}
		}
		for _, i := range t.Partitions {
			asked[t.Topic][i] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if t := h.cfg.Topics.Get(name); t != nil {
			if sizes := sizesOf(t, asked[name]); len(sizes.Partitions) > 0 {
				dir.Topics = append(dir.Topics, sizes)
			}
		}
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp, nil
}

// sizesOf answers for one topic; only nil is all its partitions.
func sizesOf(t *topics.Topic, only map[int32]bool) kmsg.DescribeLogDirsResponseDirTopic {
	answer := kmsg.NewDescribeLogDirsResponseDirTopic()
	answer.Topic = t.Name
	for _, p := range t.Partitions() {
		if only != nil && !only[p.Index] {
			continue
		}
		size := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		size.Partition, size.Size = p.Index, p.Log.Size()
		answer.Partitions = append(answer.Partitions, size)
	}
	return answer
}
