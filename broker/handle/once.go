package handle

// once are the names in their order, each only where it stands first: a few bytes of request that name one thing over and
// over must not become thousands of its descriptions.
func once(names []string) []string {
	seen := make(map[string]bool, len(names))
	var list []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}
