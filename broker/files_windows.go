package broker

// mostFiles does not know: 0.
func mostFiles() int64 { return 0 }
