package topics

// txnTable lists the settings of transactions that have an effect here.
var txnTable = []setting{
	{name: "transaction.max.timeout.ms", kind: kindInt, standard: "900000", min: 1, meaning: "longest transaction timeout a producer may ask for"},
	{name: "transactional.id.expiration.ms", kind: kindInt, standard: "604800000", min: 1, meaning: "how long a transactional id is kept that nobody uses"},
	{name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", kind: kindInt, standard: "10000", min: 1,
		meaning: "time between two looks for transactions that take too long"},
	{name: "transaction.remove.expired.transaction.cleanup.interval.ms", kind: kindInt, standard: "3600000", min: 1,
		meaning: "time between two looks for transactional ids to forget"},
}
