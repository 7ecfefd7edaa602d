package handle

// txnRows are the requests of idempotent producers and transactions.
var txnRows = []row{
	{key: 22, min: 0, max: 5, act: (*Handlers).initProducerID},
	{key: 24, min: 0, max: 3, act: (*Handlers).addPartitionsToTxn},
	{key: 25, min: 0, max: 4, act: (*Handlers).addOffsetsToTxn},
	{key: 26, min: 0, max: 4, act: (*Handlers).endTxn},
	{key: 27, min: 0, max: 1, act: (*Handlers).writeTxnMarkers},
	{key: 28, min: 0, max: 4, act: (*Handlers).txnOffsetCommit},
	{key: 65, min: 0, max: 0, act: (*Handlers).describeTransactions},
	{key: 66, min: 0, max: 2, act: (*Handlers).listTransactions},
}
