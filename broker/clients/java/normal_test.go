package java_test

import (
	"regexp"
	"slices"
	"strings"
)

// blurs are what may differ between two runs of the same tool, in the order in which they are made equal.
var blurs = []struct {
	what, pattern, as string
}{
	{"addresses", `127\.0\.0\.1:\d+`, `<addr>`},
	{"ports", `\bport: \d+|\.listener\.port=\d+`, `port: <port>`},
	{"ids of members", `\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`, `<uuid>`},
	{"times in milliseconds", `\b1[7-9]\d{11}\b`, `<time>`},
	{"times", `\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,:]\d+)?Z?`, `<time>`},
	{"positions of stack traces", `(?m)^\tat .*\n|^\t\.\.\. \d+ more\n`, ``},
	{"what only DescribeTopicPartitions knows, which is for clusters", `Elr: N/A`, `Elr:`},
	{"advice", `The consumer rebalance protocol \(KIP-848\) is production-ready.*\n|Option --consumer-property is deprecated.*\n`, ``},
	{"columns", `[ \t]+`, ` `},
}

var patterns = func() []*regexp.Regexp {
	var list []*regexp.Regexp
	for _, b := range blurs {
		list = append(list, regexp.MustCompile(b.pattern))
	}
	return list
}()

// identifiers of topics, clusters and KIP-848 members have 22 letters; random tells them from words.
var (
	identifiers = regexp.MustCompile(`[A-Za-z0-9_-]{22}\b`)
	random      = regexp.MustCompile(`[0-9_-]|[A-Z]{2}`)
)

// normal is an outcome without what differs between runs: empty lines and the spaces at the ends of lines go too.
func normal(text string, places map[string]string) string {
	for word, path := range places {
		if path != "" {
			text = strings.ReplaceAll(text, path, word)
		}
	}
	for i, b := range blurs {
		text = patterns[i].ReplaceAllString(text, b.as)
	}
	text = identifiers.ReplaceAllStringFunc(text, func(word string) string {
		if random.MatchString(word) {
			return "<id>"
		}
		return word // the name of a class
	})
	var kept []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return strings.Join(kept, "\n") + "\n"
}

// sorted is an outcome whose lines come in no order.
func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
