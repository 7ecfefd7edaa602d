package handle

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	keyProduce     int16 = 0
	keyFetch       int16 = 1
	keyAPIVersions int16 = 18

	keySASLHandshake    int16 = 17
	keySASLAuthenticate int16 = 36
)

// row says which versions of a request are served, and by which function.
type row struct {
	key      int16
	min, max int16
	act      action // nil for Produce and Fetch, which have paths of their own

	flexible int16 // the first version with tags and compact lengths (KIP-482); filled in below
}

// serves says whether a version is answered.
func (r *row) serves(version int16) bool {
	return version >= r.min && version <= r.max
}

// table is the one version table: what is not here is neither advertised nor answered. It is filled before the first
// request and never changes.
var table []row

// byKey finds a row of table by its request's key.
var byKey map[int16]*row

func init() { // not a variable: handlers read the table that holds them
	table = slices.Concat(logRows, groupRows, txnRows, adminRows, securityRows)
	slices.SortFunc(table, func(a, b row) int { return int(a.key) - int(b.key) })
	byKey = make(map[int16]*row, len(table))
	for i := range table {
		table[i].flexible = firstFlexible(table[i].key, table[i].max)
		byKey[table[i].key] = &table[i]
	}
}

// find is the row of a request, nil when it is not served.
func find(key int16) *row { return byKey[key] }

// firstFlexible is the first version of a request that has tags in its header.
func firstFlexible(key, max int16) int16 {
	req := kmsg.RequestForKey(key)
	for v := int16(0); v <= max; v++ {
		if req.SetVersion(v); req.IsFlexible() {
			return v
		}
	}
	return math.MaxInt16
}

// Key is a request that is served.
type Key struct {
	Key  int16
	Name string
}

// Keys lists the requests that are served, by number.
func Keys() []Key {
	var keys []Key
	for _, r := range table {
		keys = append(keys, Key{r.key, kmsg.NameForKey(r.key)})
	}
	return keys
}
