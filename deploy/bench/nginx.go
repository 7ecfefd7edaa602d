package bench

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

// lineBytes is the length of every generated line in bytes, with its newline.
const lineBytes = 170

// writeLog fills the file with lines of an access log in nginx's combined format: addresses, times, paths, sizes and
// agents vary as real ones do, so that compression has as much to do. The same count gives the same bytes.
func writeLog(path string, lines int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("generating the log: %w", err)
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(17, 4))
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var line []byte
	for i := range lines {
		if i%40 == 39 {
			at = at.Add(time.Second)
		}
		line = appendLine(line[:0], r, at)
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("generating the log: %w", err)
		}
	}
	return w.Flush()
}

var (
	methods = []string{"GET", "GET", "GET", "GET", "GET", "POST", "HEAD"}
	paths   = []string{"/", "/index.html", "/static/app.js", "/api/v1/items/", "/api/v1/users/", "/search?q=", "/img/photo-", "/feed.xml"}
	states  = []string{"200", "200", "200", "200", "200", "304", "301", "404", "500"}
	agents  = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/605.1",
		"curl/8.14.1", "Go-http-client/1.1", "kube-probe/1.33", "Prometheus/3.5.0",
	}
)

func appendLine(b []byte, r *rand.Rand, at time.Time) []byte {
	for i, part := range [4]int{10 + r.IntN(4), r.IntN(256), r.IntN(32), r.IntN(256)} {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(part), 10)
	}
	b = at.AppendFormat(append(b, " - - ["...), "02/Jan/2006:15:04:05 -0700")
	path := r.IntN(len(paths))
	b = append(append(append(b, `] "`...), methods[r.IntN(len(methods))]...), ' ')
	b = append(b, paths[path]...)
	if path >= 3 && path < 7 {
		b = strconv.AppendInt(b, int64(r.IntN(100_000)), 10)
	}
	b = append(append(b, ` HTTP/1.1" `...), states[r.IntN(len(states))]...)
	b = strconv.AppendInt(append(b, ' '), int64(r.IntN(60_000)), 10)
	b = append(append(append(b, ` "-" "`...), agents[r.IntN(len(agents))]...), '"')
	const more = ` "10.1.2.3" rt=0.001 uct=0.000 uht=0.001 urt=0.001 upstream=backend-7 cache=MISS trace=00-4bf92f3577b34da6a3ce929d0e0e4736`
	b = append(b, more...)
	return append(b[:lineBytes-1], '\n')
}
