package topics

// kind is the type of a setting's value, with Kafka's number for it in DescribeConfigs.
type kind int8

const (
	kindBool   kind = 1
	kindText   kind = 2
	kindInt    kind = 3
	kindLong   kind = 5
	kindDouble kind = 6
	kindList   kind = 7
)

// setting is one of Kafka's setting names.
type setting struct {
	name     string // of the broker; empty when only a topic has it
	topic    string // of a topic, empty when only the broker has it
	kind     kind
	standard string   // the default
	min      int64    // of numbers
	choices  []string // of texts that have only so many values
	meaning  string
	idle     bool // known, but without effect here
}

// table lists the settings that have an effect here. Times are milliseconds of the wall clock unless the name says otherwise.
var table = []setting{
	{name: "num.partitions", kind: kindInt, standard: "1", min: 1, meaning: "partitions of a topic that is made without a number"},
	{name: "auto.create.topics.enable", kind: kindBool, standard: "true", meaning: "make a topic when a client first asks for it"},
	{name: "delete.topic.enable", kind: kindBool, standard: "true", meaning: "let clients delete topics"},
	{name: "socket.request.max.bytes", kind: kindInt, standard: "104857600", min: 1024, meaning: "largest Produce request in bytes; other requests may have 4 MiB"},
	{name: "queued.max.request.bytes", kind: kindLong, standard: "-1", min: -1, meaning: "bytes that requests on their way in may hold together; -1: 256 MiB"},
	{name: "max.connections", kind: kindInt, standard: "2147483647", min: 1, meaning: "connections at a time"},
	{name: "connections.max.idle.ms", kind: kindLong, standard: "600000", min: 1, meaning: "a connection silent for so long is closed"},
	{name: "fetch.max.bytes", kind: kindInt, standard: "57671680", min: 1024, meaning: "most bytes in one Fetch response"},
	{name: "log.retention.check.interval.ms", kind: kindLong, standard: "300000", min: 1, meaning: "time between two looks for segments to roll or delete"},
	{name: "group.min.session.timeout.ms", kind: kindInt, standard: "6000", min: 1, meaning: "shortest session timeout a group member may ask for"},
	{name: "group.max.session.timeout.ms", kind: kindInt, standard: "1800000", min: 1, meaning: "longest session timeout a group member may ask for"},
	{name: "group.initial.rebalance.delay.ms", kind: kindInt, standard: "100", min: 0, meaning: "how long the first member of an empty group waits for others"},
	{name: "group.max.size", kind: kindInt, standard: "10000", min: 1, meaning: "most members of one group"},
	{name: "offset.metadata.max.bytes", kind: kindInt, standard: "4096", min: 0, meaning: "longest metadata of a committed offset"},
	{name: "offsets.retention.minutes", kind: kindInt, standard: "10080", min: 1, meaning: "how long offsets outlive their group's last member"},
	{name: "offsets.retention.check.interval.ms", kind: kindLong, standard: "600000", min: 1, meaning: "time between two looks for offsets to forget"},
	{name: "producer.id.expiration.ms", kind: kindInt, standard: "604800000", min: 1, meaning: "an idempotent producer is forgotten so long after its last append"},

	{name: "message.max.bytes", topic: "max.message.bytes", kind: kindInt, standard: "1048588", min: 0, meaning: "largest record batch in bytes, as it is stored"},
	{name: "log.segment.bytes", topic: "segment.bytes", kind: kindInt, standard: "1073741824", min: 1024, meaning: "a segment rolls before it grows past so many bytes"},
	{name: "log.roll.ms", topic: "segment.ms", kind: kindLong, standard: "604800000", min: 1, meaning: "a segment rolls when its first append is older"},
	{name: "log.roll.hours", kind: kindInt, standard: "168", min: 1, meaning: "log.roll.ms in hours, which wins over this"},
	{name: "log.retention.bytes", topic: "retention.bytes", kind: kindLong, standard: "-1", min: -1, meaning: "oldest segments go while a partition stays at least this big; -1: no limit"},
	{name: "log.retention.ms", topic: "retention.ms", kind: kindLong, standard: "604800000", min: -1, meaning: "segments whose last append is older go; -1: no limit"},
	{name: "log.retention.minutes", kind: kindInt, standard: "10080", min: -1, meaning: "log.retention.ms in minutes, which wins over this"},
	{name: "log.retention.hours", kind: kindInt, standard: "168", min: -1, meaning: "log.retention.ms in hours, which and whose minutes win over this"},
	{name: "log.index.interval.bytes", topic: "index.interval.bytes", kind: kindInt, standard: "4096", min: 1, meaning: "bytes of log between two index entries"},
	{name: "log.message.timestamp.type", topic: "message.timestamp.type", kind: kindText, standard: "CreateTime", choices: []string{"CreateTime", "LogAppendTime"},
		meaning: "a record's time is the producer's, or the broker's when it appends"},
	{name: "log.cleanup.policy", topic: "cleanup.policy", kind: kindList, standard: "delete", choices: []string{"delete", "compact"},
		meaning: "delete: by age and size; with compact nothing is deleted, and every record is kept"},
}

// idleNames are Kafka's settings that are accepted and change nothing here, with the reason where one helps.
var idleNames = map[string]string{
	"listeners": "use --listen", "advertised.listeners": "use --advertise", "host.name": "use --listen", "port": "use --listen",
	"advertised.host.name": "use --advertise", "advertised.port": "use --advertise", "log.dirs": "use --data", "log.dir": "use --data",
	"metadata.log.dir": "use --data", "listener.security.protocol.map": "", "inter.broker.listener.name": "", "security.inter.broker.protocol": "",
	"zookeeper.connect": "there is no ZooKeeper here", "zookeeper.connection.timeout.ms": "", "zookeeper.session.timeout.ms": "",
	"process.roles": "", "node.id": "there is one node", "broker.id": "there is one node", "broker.id.generation.enable": "", "broker.rack": "",
	"controller.quorum.voters": "", "controller.quorum.bootstrap.servers": "", "controller.listener.names": "",
	"num.network.threads": "", "num.io.threads": "", "num.replica.fetchers": "", "background.threads": "", "queued.max.requests": "",
	"num.recovery.threads.per.data.dir": "", "socket.send.buffer.bytes": "", "socket.receive.buffer.bytes": "", "socket.listen.backlog.size": "",
	"default.replication.factor": "there is one node", "min.insync.replicas": "there is one node", "offsets.topic.replication.factor": "there is one node",
	"offsets.topic.num.partitions": "", "offsets.topic.segment.bytes": "", "transaction.state.log.replication.factor": "", "transaction.state.log.min.isr": "",
	"transaction.state.log.num.partitions": "", "share.coordinator.state.topic.replication.factor": "", "share.coordinator.state.topic.min.isr": "",
	"log.flush.interval.messages": "every append is synced in a group commit", "log.flush.interval.ms": "every append is synced in a group commit",
	"log.flush.scheduler.interval.ms": "every append is synced in a group commit", "log.flush.offset.checkpoint.interval.ms": "",
	"log.cleaner.enable": "", "log.cleaner.threads": "", "log.cleaner.dedupe.buffer.size": "", "log.cleaner.delete.retention.ms": "",
	"log.segment.delete.delay.ms": "", "log.preallocate": "", "log.index.size.max.bytes": "", "log.message.format.version": "",
	"inter.broker.protocol.version": "", "log.roll.jitter.ms": "", "log.roll.jitter.hours": "", "auto.leader.rebalance.enable": "",
	"unclean.leader.election.enable": "there is one node", "compression.type": "batches are stored as producers compress them", "authorizer.class.name": "",
	"replica.lag.time.max.ms": "", "replica.fetch.max.bytes": "", "controlled.shutdown.enable": "", "confluent.support.metrics.enable": "",
	"log.message.timestamp.difference.max.ms": "", "log.message.timestamp.before.max.ms": "", "log.message.timestamp.after.max.ms": "",
	"log.message.downconversion.enable": "", "request.timeout.ms": "", "metric.reporters": "", "group.coordinator.rebalance.protocols": "",
}

// idleTopicNames are the same for topics, with Kafka's defaults.
var idleTopicNames = []setting{
	{topic: "compression.type", kind: kindText, standard: "producer"},
	{topic: "min.insync.replicas", kind: kindInt, standard: "1"},
	{topic: "delete.retention.ms", kind: kindLong, standard: "86400000"},
	{topic: "file.delete.delay.ms", kind: kindLong, standard: "60000"},
	{topic: "flush.messages", kind: kindLong, standard: "9223372036854775807"},
	{topic: "flush.ms", kind: kindLong, standard: "9223372036854775807"},
	{topic: "min.cleanable.dirty.ratio", kind: kindDouble, standard: "0.5"},
	{topic: "min.compaction.lag.ms", kind: kindLong, standard: "0"},
	{topic: "max.compaction.lag.ms", kind: kindLong, standard: "9223372036854775807"},
	{topic: "message.timestamp.before.max.ms", kind: kindLong, standard: "9223372036854775807"},
	{topic: "message.timestamp.after.max.ms", kind: kindLong, standard: "9223372036854775807"},
	{topic: "preallocate", kind: kindBool, standard: "false"},
	{topic: "segment.index.bytes", kind: kindInt, standard: "10485760"},
	{topic: "segment.jitter.ms", kind: kindLong, standard: "0"},
	{topic: "unclean.leader.election.enable", kind: kindBool, standard: "false"},
	{topic: "message.downconversion.enable", kind: kindBool, standard: "true"},
	{topic: "message.format.version", kind: kindText, standard: "3.0-IV1"},
	{topic: "leader.replication.throttled.replicas", kind: kindList, standard: ""},
	{topic: "follower.replication.throttled.replicas", kind: kindList, standard: ""},
}
