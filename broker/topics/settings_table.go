package topics

// kind is the type of a setting's value, with Kafka's number for it in DescribeConfigs.
type kind int8

const (
	kindBool     kind = 1
	kindText     kind = 2
	kindInt      kind = 3
	kindShort    kind = 4
	kindLong     kind = 5
	kindDouble   kind = 6
	kindList     kind = 7
	kindClass    kind = 8
	kindPassword kind = 9
)

// reach says where a broker's setting may be changed while the broker runs.
type reach int8

const (
	nowhere      reach = iota // only at the start
	wholeCluster              // for all brokers, or for one
	oneBroker                 // for one broker only
)

// setting is one of Kafka's setting names.
type setting struct {
	name     string // of the broker; empty when only a topic has it
	topic    string // of a topic, empty when only the broker has it
	kind     kind
	standard string   // the default
	null     bool     // there is no default
	min, max int64    // of numbers; a max of 0 is none
	choices  []string // of texts that have only so many values
	meaning  string
	reach    reach
	idle     bool   // known, but without effect here
	hidden   bool   // of older Kafkas or not documented there: shown only when it is set
	why      string // it is idle
}

// table lists the settings that have an effect here. Times are milliseconds of the wall clock unless the name says otherwise.
var table = []setting{
	{name: "log.dirs", kind: kindList, null: true, meaning: "the data folder, of several the first; --data wins over it"},
	{name: "log.dir", kind: kindList, standard: "/tmp/kafka-logs", meaning: "the data folder where log.dirs does not name it; --data wins over it"},
	{name: "num.partitions", kind: kindInt, standard: "1", min: 1, meaning: "partitions of a topic that is made without a number"},
	{name: "auto.create.topics.enable", kind: kindBool, standard: "true", meaning: "make a topic when a client first asks for it"},
	{name: "delete.topic.enable", kind: kindBool, standard: "true", meaning: "let clients delete topics"},
	{name: "socket.request.max.bytes", kind: kindInt, standard: "104857600", min: 1024, meaning: "largest Produce request in bytes; other requests may have 4 MiB"},
	{name: "queued.max.request.bytes", kind: kindLong, standard: "-1", min: -1, meaning: "bytes that requests on their way in may hold together; -1: 256 MiB"},
	{name: "max.connections", kind: kindInt, standard: "2147483647", min: 0, reach: wholeCluster, meaning: "connections at a time"},
	{name: "connections.max.idle.ms", kind: kindLong, standard: "600000", min: 1, meaning: "a connection silent for so long is closed"},
	{name: "fetch.max.bytes", kind: kindInt, standard: "57671680", min: 1024, meaning: "most bytes in one Fetch response"},
	{name: "log.retention.check.interval.ms", kind: kindLong, standard: "300000", min: 1, meaning: "time between two looks for segments to roll or delete"},
	{name: "log.cleaner.enable", kind: kindBool, standard: "true", meaning: "compact the topics whose cleanup.policy says so"},
	{name: "log.cleaner.backoff.ms", kind: kindLong, standard: "15000", min: 0, reach: wholeCluster, meaning: "time between two looks for something to compact"},
	{name: "log.cleaner.dedupe.buffer.size", kind: kindLong, standard: "134217728", min: 1, reach: wholeCluster, meaning: "memory for the keys of one compaction"},
	{name: "group.min.session.timeout.ms", kind: kindInt, standard: "6000", min: 1, meaning: "shortest session timeout a group member may ask for"},
	{name: "group.max.session.timeout.ms", kind: kindInt, standard: "1800000", min: 1, meaning: "longest session timeout a group member may ask for"},
	{name: "group.initial.rebalance.delay.ms", kind: kindInt, standard: "100", min: 0, meaning: "how long the first member of an empty group waits for others"},
	{name: "group.max.size", kind: kindInt, standard: "10000", min: 1, meaning: "most members of one group"},
	{name: "group.consumer.session.timeout.ms", kind: kindInt, standard: "45000", min: 1, meaning: "how long a member of a consumer group (KIP-848) may say nothing"},
	{name: "group.consumer.heartbeat.interval.ms", kind: kindInt, standard: "5000", min: 1, meaning: "time between two heartbeats of such a member"},
	{name: "group.consumer.max.size", kind: kindInt, standard: "10000", min: 1, meaning: "most members of one such group"},
	{name: "group.consumer.assignors", kind: kindList, standard: "uniform,range", choices: []string{"uniform", "range",
		"org.apache.kafka.coordinator.group.assignor.UniformAssignor", "org.apache.kafka.coordinator.group.assignor.RangeAssignor"},
		meaning: "how partitions may be shared out in such groups, the first where no member says"},
	{name: "group.consumer.regex.refresh.interval.ms", kind: kindInt, standard: "600000", min: 10_000, hidden: true,
		meaning: "how long what a regular expression found is believed while the topics stay the same"},
	{name: "offset.metadata.max.bytes", kind: kindInt, standard: "4096", min: 0, meaning: "longest metadata of a committed offset"},
	{name: "offsets.retention.minutes", kind: kindInt, standard: "10080", min: 1, meaning: "how long offsets outlive their group's last member"},
	{name: "offsets.retention.check.interval.ms", kind: kindLong, standard: "600000", min: 1, meaning: "time between two looks for offsets to forget"},
	{name: "producer.id.expiration.ms", kind: kindInt, standard: "604800000", min: 1, reach: wholeCluster, meaning: "an idempotent producer is forgotten so long after its last append"},
	{name: "quota.window.num", kind: kindInt, standard: "11", min: 1, meaning: "windows over which a client's rate is taken, the current one included"},
	{name: "quota.window.size.seconds", kind: kindInt, standard: "1", min: 1, meaning: "length of one of those windows"},
	{name: "log.roll.hours", kind: kindInt, standard: "168", min: 1, meaning: "log.roll.ms in hours, which wins over this"},
	{name: "log.retention.minutes", kind: kindInt, null: true, min: -1, meaning: "log.retention.ms in minutes, which wins over this"},
	{name: "log.retention.hours", kind: kindInt, standard: "168", min: -1, meaning: "log.retention.ms in hours, which and whose minutes win over this"},
}

// topicTable lists the settings that have an effect on a topic, most of them with the broker's name for all topics.
var topicTable = []setting{
	{name: "message.max.bytes", topic: "max.message.bytes", kind: kindInt, standard: "1048588", min: 0, reach: wholeCluster, meaning: "largest record batch in bytes, as it is stored"},
	{name: "log.segment.bytes", topic: "segment.bytes", kind: kindInt, standard: "1073741824", min: 1024, reach: wholeCluster, meaning: "a segment rolls before it grows past so many bytes"},
	{name: "log.roll.ms", topic: "segment.ms", kind: kindLong, standard: "604800000", null: true, min: 1, reach: wholeCluster, meaning: "a segment rolls when its first append is older"},
	{name: "log.retention.bytes", topic: "retention.bytes", kind: kindLong, standard: "-1", min: -1, reach: wholeCluster, meaning: "oldest segments go while a partition stays at least this big; -1: no limit"},
	{name: "log.retention.ms", topic: "retention.ms", kind: kindLong, standard: "604800000", null: true, min: -1, reach: wholeCluster, meaning: "segments whose last append is older go; -1: no limit"},
	{name: "log.index.interval.bytes", topic: "index.interval.bytes", kind: kindInt, standard: "4096", min: 0, reach: wholeCluster, meaning: "bytes of log between two index entries"},
	{name: "log.message.timestamp.type", topic: "message.timestamp.type", kind: kindText, standard: "CreateTime", choices: []string{"CreateTime", "LogAppendTime"}, reach: wholeCluster,
		meaning: "a record's time is the producer's, or the broker's when it appends"},
	{name: "log.message.timestamp.before.max.ms", topic: "message.timestamp.before.max.ms", kind: kindLong, standard: "9223372036854775807", min: 0, reach: wholeCluster,
		meaning: "a record's time may lie so far behind the broker's"},
	{name: "log.message.timestamp.after.max.ms", topic: "message.timestamp.after.max.ms", kind: kindLong, standard: "3600000", min: 0, reach: wholeCluster,
		meaning: "a record's time may lie so far ahead of the broker's"},
	{name: "log.message.downconversion.enable", topic: "message.downconversion.enable", kind: kindBool, standard: "true", reach: wholeCluster,
		meaning: "convert records for Fetch versions that cannot carry them as they are stored"},
	{name: "compression.type", topic: "compression.type", kind: kindText, standard: "producer", choices: []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"}, reach: wholeCluster,
		meaning: "how batches are stored; producer: as they came"},
	{name: "compression.gzip.level", topic: "compression.gzip.level", kind: kindInt, standard: "-1", min: -1, max: 9, reach: wholeCluster,
		meaning: "how hard compression.type=gzip tries; -1: as zlib does"},
	{name: "compression.lz4.level", topic: "compression.lz4.level", kind: kindInt, standard: "9", min: 1, max: 17, reach: wholeCluster,
		meaning: "how hard compression.type=lz4 tries; 9: fast, as in Kafka"},
	{name: "compression.zstd.level", topic: "compression.zstd.level", kind: kindInt, standard: "3", min: -131072, max: 22, reach: wholeCluster,
		meaning: "how hard compression.type=zstd tries"},
	{name: "min.insync.replicas", topic: "min.insync.replicas", kind: kindInt, standard: "1", min: 1, reach: wholeCluster,
		meaning: "copies that acks=all waits for, as far as there are so many: there is one"},
	{name: "log.cleanup.policy", topic: "cleanup.policy", kind: kindList, standard: "delete", choices: []string{"compact", "delete"}, reach: wholeCluster,
		meaning: "delete: old segments go by age and size; compact: the latest value of each key stays"},
	{name: "log.cleaner.delete.retention.ms", topic: "delete.retention.ms", kind: kindLong, standard: "86400000", min: 0, reach: wholeCluster, meaning: "compaction keeps a key without a value so long"},
	{name: "log.cleaner.min.cleanable.ratio", topic: "min.cleanable.dirty.ratio", kind: kindDouble, standard: "0.5", min: 0, max: 1, reach: wholeCluster,
		meaning: "share of a log not yet compacted that makes compaction worth while"},
	{name: "log.cleaner.min.compaction.lag.ms", topic: "min.compaction.lag.ms", kind: kindLong, standard: "0", min: 0, reach: wholeCluster, meaning: "records younger than this are not compacted"},
	{name: "log.cleaner.max.compaction.lag.ms", topic: "max.compaction.lag.ms", kind: kindLong, standard: "9223372036854775807", min: 1, reach: wholeCluster,
		meaning: "records older than this are compacted whatever the ratio says"},
}

// idleTopicTable lists the settings of topics that Kafka has and that change nothing here.
var idleTopicTable = []setting{
	{name: "log.segment.delete.delay.ms", topic: "file.delete.delay.ms", kind: kindLong, standard: "60000"},
	{name: "log.flush.interval.messages", topic: "flush.messages", kind: kindLong, standard: "9223372036854775807", min: 1},
	{name: "log.flush.interval.ms", topic: "flush.ms", kind: kindLong, standard: "9223372036854775807"},
	{name: "log.preallocate", topic: "preallocate", kind: kindBool, standard: "false"},
	{name: "log.index.size.max.bytes", topic: "segment.index.bytes", kind: kindInt, standard: "10485760", min: 4},
	{name: "log.roll.jitter.ms", topic: "segment.jitter.ms", kind: kindLong, standard: "0"},
	{name: "log.local.retention.bytes", topic: "local.retention.bytes", kind: kindLong, standard: "-2", min: -2},
	{name: "log.local.retention.ms", topic: "local.retention.ms", kind: kindLong, standard: "-2", min: -2},
	{name: "unclean.leader.election.enable", topic: "unclean.leader.election.enable", kind: kindBool, standard: "false"},
	{topic: "remote.log.copy.disable", kind: kindBool, standard: "false"},
	{topic: "remote.log.delete.on.disable", kind: kindBool, standard: "false"},
	{topic: "remote.storage.enable", kind: kindBool, standard: "false", choices: []string{"false"}},
	{topic: "leader.replication.throttled.replicas", kind: kindList},
	{topic: "follower.replication.throttled.replicas", kind: kindList},
	{topic: "message.format.version", kind: kindText, standard: "3.0-IV1", hidden: true},
	{topic: "message.timestamp.difference.max.ms", kind: kindLong, standard: "9223372036854775807", hidden: true},
}
