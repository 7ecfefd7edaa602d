package handle

// groupRows are the requests of consumer groups.
var groupRows = []row{
	{key: 8, min: 0, max: 9, act: (*Handlers).offsetCommit},
	{key: 9, min: 0, max: 9, act: (*Handlers).offsetFetch},
	{key: 10, min: 0, max: 6, act: (*Handlers).findCoordinator},
	{key: 11, min: 0, max: 9, act: (*Handlers).joinGroup},
	{key: 12, min: 0, max: 4, act: (*Handlers).heartbeat},
	{key: 13, min: 0, max: 5, act: (*Handlers).leaveGroup},
	{key: 14, min: 0, max: 5, act: (*Handlers).syncGroup},
	{key: 15, min: 0, max: 6, act: (*Handlers).describeGroups},
	{key: 16, min: 0, max: 5, act: (*Handlers).listGroups},
	{key: 42, min: 0, max: 2, act: (*Handlers).deleteGroups},
	{key: 47, act: (*Handlers).offsetDelete},
	{key: 68, min: 0, max: 1, act: (*Handlers).consumerGroupHeartbeat},
	{key: 69, min: 0, max: 1, act: (*Handlers).consumerGroupDescribe},
}
