package broker

import (
	"cmp"
	"slices"
	"strconv"
	"sync/atomic"
	"unicode/utf8"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/broker/group"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	mostGroupSeries = 10_000 // series of groups in one answer; those with the largest lag come first
	longestGroup    = 255    // bytes of a group's name that is shown
)

// rooms are what there is to look at while the broker serves.
type rooms struct {
	data   string
	topics *topics.Topics
	groups *group.Coordinator
	server *server
}

// census looks up, when somebody asks for the metrics, what there is at that moment: nothing is kept for it, and an idle
// broker does nothing for it.
type census struct {
	rooms  atomic.Pointer[rooms] // nil: the broker does not serve
	losses *losses

	topics, partitions, failed, stored, unreadable *prometheus.Desc
	diskSize, diskFree                             *prometheus.Desc
	memory, memoryMost                             *prometheus.Desc
	groups, members, lag, lost, leftOut            *prometheus.Desc
}

func newCensus(l *losses) *census {
	return &census{
		losses:     l,
		topics:     described("topics", "Topics, the broker's own included."),
		partitions: described("partitions", "Partitions of all topics."),
		failed:     described("partitions_failed", "Partitions that take no appends until the broker is started again, because a sync failed."),
		stored:     described("stored_bytes", "Bytes of record batches kept.", "topic"),
		unreadable: described("unreadable_records", "Offsets of a topic that are refused to readers because their bytes are damaged or lost.", "topic"),
		diskSize:   described("disk_size_bytes", "Size of the disk that the data folder lies on."),
		diskFree:   described("disk_free_bytes", "Bytes of the data folder's disk that the broker may still use."),
		memory:     described("memory_held_bytes", "Bytes of requests on their way in, and of answers that wait for their clients.", "of"),
		memoryMost: described("memory_most_bytes", "Bytes that these may hold before others wait.", "of"),
		groups:     described("groups", "Consumer groups by state.", "state"),
		members:    described("group_members", "Members of a consumer group.", "group"),
		lag:        described("group_lag_records", "Records between what a group has committed and the end of a partition.", "group", "topic", "partition"),
		lost:       described("group_lost_records_total", "Records that age, size or want of room deleted before a group had committed them; what is trimmed is not among them.", "group", "topic", "partition"),
		leftOut:    described("group_series_left_out", "Series of groups that are not shown: there are too many, or the group's name is no short text."),
	}
}

// Describe tells the registry what there is to collect.
func (c *census) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.topics, c.partitions, c.failed, c.stored, c.unreadable, c.diskSize, c.diskFree, c.memory, c.memoryMost, c.groups, c.members, c.lag, c.lost, c.leftOut} {
		to <- d
	}
}

// Collect looks around.
func (c *census) Collect(to chan<- prometheus.Metric) {
	r := c.rooms.Load()
	if r == nil {
		return
	}
	value := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ends := c.collectTopics(r, value)
	if size, free := disk.Space(r.data); size >= 0 {
		value(c.diskSize, float64(size))
		value(c.diskFree, float64(free))
	}
	for of, room := range map[string]interface{ Held() (held, most int64) }{"requests": r.server.budget, "answers": r.server.answers.unsent} {
		held, most := room.Held()
		value(c.memory, float64(held), of)
		value(c.memoryMost, float64(most), of)
	}
	c.collectGroups(r, ends, to)
}

// collectTopics looks at every log, and says where each ends.
func (c *census) collectTopics(r *rooms, value func(*prometheus.Desc, float64, ...string)) map[group.Partition]*commitlog.Log {
	ends := map[group.Partition]*commitlog.Log{}
	list := r.topics.List()
	partitions, failed := 0, 0
	for _, t := range list {
		var bytes, unreadable int64
		for _, p := range t.Partitions() {
			partitions++
			for _, d := range p.Log.Damages() {
				unreadable += int64(d.To - d.From)
			}
			bytes += p.Log.Size()
			if brokenLog(p.Log) != nil {
				failed++
			}
			ends[group.Partition{Topic: t.Name, Index: p.Index}] = p.Log
		}
		value(c.stored, float64(bytes), t.Name)
		value(c.unreadable, float64(unreadable), t.Name)
	}
	value(c.topics, float64(len(list)))
	value(c.partitions, float64(partitions))
	value(c.failed, float64(failed))
	return ends
}

// groupSeries is one series of a group.
type groupSeries struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []string
}

// collectGroups looks at every group. What clients call their groups is theirs, and so is how many there are: neither
// may break an answer, or make it endless.
func (c *census) collectGroups(r *rooms, logs map[group.Partition]*commitlog.Log, to chan<- prometheus.Metric) {
	states := map[string]int{}
	var series []groupSeries
	leftOut := 0
	for _, claim := range r.groups.Claims() {
		states[claim.State.String()]++
		if !showable(claim.Group) {
			leftOut += 1 + len(claim.Committed)
			continue
		}
		series = append(series, groupSeries{c.members, prometheus.GaugeValue, float64(claim.Members), []string{claim.Group}})
		for at, offset := range claim.Committed {
			if log := logs[at]; log != nil {
				lag := max(int64(log.HighWatermark()-offset), 0)
				series = append(series, groupSeries{c.lag, prometheus.GaugeValue, float64(lag), []string{claim.Group, at.Topic, strconv.Itoa(int(at.Index))}})
			}
		}
	}
	for _, loss := range c.losses.list() {
		if showable(loss.Group) {
			series = append(series, groupSeries{c.lost, prometheus.CounterValue, float64(loss.Records), []string{loss.Group, loss.Topic, strconv.Itoa(int(loss.Partition))}})
		}
	}
	series, more := largest(series, mostGroupSeries)
	leftOut += more
	for _, s := range series {
		to <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value, s.labels...)
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(c.groups, prometheus.GaugeValue, float64(n), state)
	}
	to <- prometheus.MustNewConstMetric(c.leftOut, prometheus.GaugeValue, float64(leftOut))
}

// largest keeps so many series, those with the largest values, and says how many it left out.
func largest(series []groupSeries, most int) (kept []groupSeries, leftOut int) {
	if len(series) <= most {
		return series, 0
	}
	slices.SortStableFunc(series, func(a, b groupSeries) int { return cmp.Compare(b.value, a.value) })
	return series[:most], len(series) - most
}

// showable says whether a group's name can be a label.
func showable(name string) bool { return len(name) <= longestGroup && utf8.ValidString(name) }
