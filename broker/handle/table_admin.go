package handle

// adminRows are the requests of settings, quotas and other administration.
var adminRows = []row{
	{key: 33, min: 0, max: 2, act: (*Handlers).alterConfigs},
	{key: 43, min: 0, max: 2, act: (*Handlers).electLeaders},
	{key: 44, min: 0, max: 1, act: (*Handlers).incrementalAlterConfigs},
	{key: 46, act: (*Handlers).listPartitionReassignments},
	{key: 48, min: 0, max: 1, act: (*Handlers).describeClientQuotas},
	{key: 49, min: 0, max: 1, act: (*Handlers).alterClientQuotas},
	{key: 57, min: 0, max: 1, act: (*Handlers).updateFeatures},
}
