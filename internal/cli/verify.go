package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/loghaul/loghaul/internal/ledger"
	"github.com/loghaul/loghaul/internal/record"
	"github.com/loghaul/loghaul/internal/verify"
	"github.com/spf13/cobra"
)

// verifyFlags are those of the command verify.
type verifyFlags struct {
	host, path, topic string
	wait              time.Duration // for a broker that goes away
}

// verifyWait is how long verify waits for a broker that goes away while it reads.
const verifyWait = time.Minute

func newVerify(g *globals) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "hold what agents say of their files against the records in the topics; exit code 3 on a gap or a double", Args: cobra.NoArgs,
		Long: `Agents keep the account of every file in the topic ` + ledger.Topic + `. This reads it, then all records of the topics it names
(read committed), and shows for each generation of each file how many bytes were read, acknowledged, delivered, left out
on purpose and lost, with the byte ranges of every gap and every double. What a topic has dropped because of its age or size counts as
expired. Records without header pos are not judged, and bytes that cannot be judged are counted by themselves; NOTE says why.`,
		RunE: run(func(ctx context.Context, _ []string) error { return g.verify(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.host, "host", "", "only files of this host; * and ? stand for anything")
	fl.StringVar(&f.path, "path", "", "only files of this path; * and ? stand for anything but /")
	fl.StringVar(&f.topic, "topic", "", "only files on their way to this topic")
	f.wait = verifyWait
	g.addOutput(cmd)
	return cmd
}

func (g *globals) verify(ctx context.Context, f verifyFlags) error {
	for _, pattern := range []string{f.host, f.path} {
		if _, err := path.Match(pattern, ""); err != nil {
			return usageErrorf("%s: %w", pattern, err)
		}
	}
	cl := newCluster(g.kafkaConfig("loghaul-verify"))
	defer cl.Close()
	accounts, err := readAccounts(ctx, cl, f, g.waiting(f))
	if err != nil {
		return err
	}
	var files []verify.File
	for _, topic := range slices.Sorted(maps.Keys(accounts)) {
		found, err := g.verifyTopic(ctx, cl, topic, f, accounts[topic])
		if err != nil {
			return err
		}
		files = append(files, slices.DeleteFunc(found, func(x verify.File) bool { return !f.matches(x.Host, x.Path) })...)
	}
	if err := g.print(map[string]any{"files": emptyNotNull(files)}, verifyTable(files)); err != nil {
		return err
	}
	if asked := f.asked(); len(files) == 0 && asked != "" {
		return fmt.Errorf("no agent has told of a file that %s names: loghaul verify alone shows all", asked)
	}
	return g.verdict(files)
}

// asked is which files are wanted, as it was typed; empty: all.
func (f verifyFlags) asked() string {
	var out []string
	for _, x := range [][2]string{{"--host", f.host}, {"--path", f.path}, {"--topic", f.topic}} {
		if x[1] != "" {
			out = append(out, x[0]+" "+x[1])
		}
	}
	return strings.Join(out, " ")
}

// matches says whether a file was asked for.
func (f verifyFlags) matches(host, file string) bool {
	fits := func(pattern, name string) bool {
		ok, _ := path.Match(pattern, name) // checked before
		return pattern == "" || pattern == name || ok
	}
	return fits(f.host, host) && fits(f.path, file)
}

// readAccounts reads the newest entry of every generation that was asked for, by topic.
func readAccounts(ctx context.Context, cl *cluster, f verifyFlags, p waits) (map[string][]ledger.Entry, error) {
	newest := map[string][]byte{}
	err := readAll(ctx, cl, ledger.Topic, p, func(_ int32, r *record.Record) {
		if delete(newest, string(r.Key)); r.Value != nil {
			newest[string(r.Key)] = slices.Clone(r.Value)
		}
	}, nil)
	if errors.Is(err, errNoTopic) {
		return nil, fmt.Errorf("topic %s does not exist: no agent has told of its files yet: it does so within seconds once it sends to this cluster", ledger.Topic)
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]ledger.Entry{}
	for _, value := range newest {
		e, err := ledger.Read(value)
		if err != nil {
			return nil, err
		}
		if f.matches(e.Host, e.Path) && (f.topic == "" || f.topic == e.Topic) {
			all[e.Topic] = append(all[e.Topic], e)
		}
	}
	return all, nil
}

// verifyTopic holds the entries of one topic against its records.
func (g *globals) verifyTopic(ctx context.Context, cl *cluster, topic string, f verifyFlags, entries []ledger.Entry) ([]verify.File, error) {
	v := verify.NewTopic(topic, entries, f.matches)
	id, err := cl.idOf(ctx, topic)
	if v.ID(id); err == nil {
		err = readAll(ctx, cl, topic, g.waiting(f), v.Take, v.Cut)
	}
	if errors.Is(err, errNoTopic) {
		g.sayf("topic %s is gone, and what was sent to it cannot be judged", topic)
		v.Gone()
	} else if err != nil {
		return nil, err
	}
	if v.Full() {
		return nil, fmt.Errorf("the records of topic %s leave more runs of bytes apart than verify keeps in memory: ask for fewer files at a time with --host and --path", topic)
	}
	if n := v.Strange(); n > 0 {
		g.sayf("%s of topic %s carry no position and are not judged", plural(int(n), "record"), topic)
	}
	return v.Result(), nil
}

// waits is how a broker that goes away is waited for.
type waits struct {
	told func(error)
	most time.Duration
}

// waiting says that a broker went away while a topic was read, and waits for a while.
func (g *globals) waiting(f verifyFlags) waits {
	return waits{func(err error) { g.sayf("%v; waiting for it to come back", err) }, f.wait}
}

// readAll shows every record that a topic holds now; cut is told of each partition whose oldest records are gone.
func readAll(ctx context.Context, cl *cluster, topic string, p waits, show func(int32, *record.Record), cut func(int32)) error {
	leaders, err := cl.leaders(ctx, topic)
	if err != nil {
		return err
	}
	held, err := cl.held(ctx, topic, leaders)
	if err != nil {
		return err
	}
	want := map[int32]stretch{}
	lost := cl.lostFirst(ctx, topic, held)
	for p, b := range held {
		want[p] = stretch{b.start, b.end}
		gone, is := lost[p]
		switch {
		case is && (cut == nil || gone.start > 0): // and what was before them is gone on purpose: nobody can tell these apart
			return lostError("", topic, p, gone)
		case !is && b.start > 0 && cut != nil:
			cut(p)
		}
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var waiting *time.Timer // while the broker is away
	var reader record.Reader
	r := &reading{cluster: cl, topic: topic, want: maps.Clone(want), endless: true, away: func(err error) {
		if p.told(err); waiting == nil {
			waiting = time.AfterFunc(p.most, func() {
				giveUp(fmt.Errorf("reading topic %s: no broker for %v: run verify again when it is back: %w", topic, p.most, err))
			})
		}
	}}
	err = r.run(ctx, func(f *fetched) error {
		if waiting != nil {
			waiting.Stop()
			waiting = nil
		}
		from := r.want[f.partition].from
		return f.committed(&reader, func(r *record.Record) error {
			if r.Offset >= from && r.Offset < want[f.partition].to {
				show(f.partition, r)
			}
			return nil
		})
	}, func() error { return nil })
	if waiting != nil {
		waiting.Stop()
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func verifyTable(files []verify.File) table {
	t := table{header: []string{"PATH", "HOST", "GENERATION", "TOPIC", "READ", "ACKED", "DELIVERED", "SKIPPED", "EXPIRED", "LOST", "DOUBLED", "NOTE"}, empty: "no agent has told of such a file"}
	for _, f := range files {
		t.add(f.Path, f.Host, f.Generation, f.Topic, number(f.Read), number(f.Acked), number(f.Delivered), number(f.Skipped), number(f.Expired), ranges(f.Lost), ranges(f.Doubled), f.Note)
	}
	return t
}

// ranges writes runs of bytes as 4096-8192, the first few of them.
func ranges(list []verify.Range) string {
	var out []string
	for i, r := range list {
		if i == 3 {
			out = append(out, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		least := ""
		if r.AtLeast {
			least = "+" // at least
		}
		out = append(out, fmt.Sprintf("%d-%d%s", r.From, r.To, least))
	}
	return strings.Join(out, ",")
}

// verdict says in one sentence what came out.
func (g *globals) verdict(files []verify.File) error {
	var judged, unjudged int64
	var bad []verify.File
	for _, f := range files {
		judged, unjudged = judged+f.Acked-f.Unjudged, unjudged+f.Unjudged
		if !f.Whole() {
			bad = append(bad, f)
		}
	}
	if len(bad) == 0 {
		if len(files) > 0 {
			g.sayf("%s, %s acknowledged: each of them is explained, none is there twice", plural(len(files), "generation"), plural(int(judged), "byte"))
		}
		if unjudged > 0 {
			g.sayf("%s beside them cannot be judged: see NOTE", plural(int(unjudged), "byte"))
		}
		return nil
	}
	f := bad[0]
	what := "lost: bytes " + ranges(f.Lost)
	if len(f.Lost) == 0 {
		what = "there twice: bytes " + ranges(f.Doubled)
	}
	return degraded(fmt.Errorf("gaps or doubles in %d of %s: %s on %s, generation %s to topic %s, %s", len(bad), plural(len(files), "generation"), f.Path, f.Host, f.Generation, f.Topic, what))
}
