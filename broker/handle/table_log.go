package handle

// logRows are the requests about the log: its topics, records and offsets.
var logRows = []row{
	{key: keyProduce, min: 0, max: 11},
	{key: keyFetch, min: 0, max: 16},
	{key: 2, min: 0, max: 10, act: (*Handlers).listOffsets},
	{key: 3, min: 0, max: 13, act: (*Handlers).metadata},
	{key: keyAPIVersions, min: 0, max: 4, act: (*Handlers).apiVersions},
	{key: 19, min: 0, max: 7, act: (*Handlers).createTopics},
	{key: 20, min: 0, max: 6, act: (*Handlers).deleteTopics},
	{key: 21, max: 2, act: (*Handlers).deleteRecords},
	{key: 23, min: 0, max: 4, act: (*Handlers).offsetForLeaderEpoch},
	{key: 32, min: 0, max: 4, act: (*Handlers).describeConfigs},
	{key: 35, min: 0, max: 4, act: (*Handlers).describeLogDirs},
	{key: 37, min: 0, max: 3, act: (*Handlers).createPartitions},
	{key: 60, min: 0, max: 2, act: (*Handlers).describeCluster},
	{key: 61, act: (*Handlers).describeProducers},
}
