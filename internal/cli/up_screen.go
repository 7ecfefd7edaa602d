package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/loghaul/loghaul/etcdconf"
)

// filesShown is how many followed files the first screen names.
const filesShown = 5

// screen says where everything is: what listens where, what is followed, where the output lies, what to try next.
func (u *together) screen(ctx context.Context) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nloghaul %s, state in %s\n\n", version(), u.data)
	for _, w := range u.where {
		part, addr, _ := strings.Cut(w, "=")
		fmt.Fprintf(&b, "  %-8s %s%s\n", part, addr, map[string]string{"broker": "  (Kafka protocol)", "admin": "/metrics"}[part])
	}
	if u.said != "" {
		fmt.Fprintf(&b, "\n%s\n", u.said)
	}
	writeFollowed(&b, u.settled(ctx))
	fmt.Fprintf(&b, "\noutput lies below %s\n", u.out())
	b.WriteString("\ntry next, in another terminal:\n")
	for _, c := range u.tryNext() {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	u.g.sayf("%s", b.String())
}

// writeFollowed names the first files and counts the others, and says what to do when there are none.
func writeFollowed(b *strings.Builder, s etcdconf.AgentStatus) {
	files := filesOf(s)
	for _, i := range s.Inputs {
		if i.Error != "" {
			fmt.Fprintf(b, "\ninput %s: %s: %s\n", i.Name, i.State, i.Error)
		}
	}
	if files == 0 {
		b.WriteString("\nno readable log file matches yet: name yours with --follow '/path/to/*.log'\n")
		return
	}
	fmt.Fprintf(b, "\nfollowing %s:\n", plural(files, "file"))
	for i, st := range s.Streams {
		if i == filesShown {
			fmt.Fprintf(b, "  and %d more\n", files-filesShown)
			break
		}
		fmt.Fprintf(b, "  %s -> %s\n", st.Path, st.Topic)
	}
}

// tryNext are commands that work when pasted: with the program as it was started, and addresses where they are not
// the defaults.
func (u *together) tryNext() []string {
	program, brokers, etcd := programName(os.Args[0]), "", ""
	if a := reachable(u.broker.Addr()); a != defaultBroker {
		brokers = " --brokers " + a
	}
	if a := u.etcd.URL(); a != defaultEtcd {
		etcd = " --etcd " + a
	}
	return []string{
		fmt.Sprintf("%s consume %s -n 5 --follow=false%s", program, systemTopic, brokers),
		fmt.Sprintf("%s status files%s", program, etcd),
		fmt.Sprintf("echo '{\"paths\":[\"/tmp/x.log\"],\"topic\":\"extra\"}' | %s input put extra -f -%s", program, etcd),
	}
}

// programName is how this program was called: go run leaves a path that nobody can call again.
func programName(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") || strings.HasSuffix(arg0, ".test") {
		return "go run ."
	}
	return arg0
}
