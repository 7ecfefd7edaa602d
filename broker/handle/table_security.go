package handle

// securityRows are the requests of logging in, users and access control.
var securityRows = []row{
	{key: keySASLHandshake, min: 0, max: 1, act: (*Handlers).saslHandshake},
	{key: 29, min: 0, max: 3, act: (*Handlers).describeACLs},
	{key: 30, min: 0, max: 3, act: (*Handlers).createACLs},
	{key: 31, min: 0, max: 3, act: (*Handlers).deleteACLs},
	{key: keySASLAuthenticate, min: 0, max: 2, act: (*Handlers).saslAuthenticate},
	{key: 50, act: (*Handlers).describeUserSCRAMCredentials},
	{key: 51, act: (*Handlers).alterUserSCRAMCredentials},
}
