package cli

import (
	"context"
	"fmt"
	"hash/crc32"
	"path/filepath"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer"
	"github.com/spf13/cobra"
)

// transferFlags are those of the command transfer.
type transferFlags struct {
	data, id, sinks, outRoot, admin string
	only                            []string
	memory                          size
}

func newTransfer(g *globals) *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use: "transfer --data DIR", Short: "bring what is in the topics to the sinks, and commit only what is stored", Args: cobra.NoArgs,
		RunE: run(func(ctx context.Context, _ []string) error { return g.runTransfer(ctx, f) }),
	}
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", "", "folder for state; required")
	fl.StringVar(&f.id, "id", "", "name of this transfer in status and groups (default: the host and its data folder)")
	fl.StringArrayVar(&f.only, "sink", nil, "serve only this sink; repeat for more (default: all)")
	fl.StringVar(&f.sinks, "sinks", "", "folder with sinks as JSON files, instead of etcd")
	fl.StringVar(&f.outRoot, "out-root", "", "folder that file sinks may write to (default: out in the data folder)")
	fl.Var(&f.memory, "memory", "bytes that records in flight may take (default: the transfer's own)")
	fl.StringVar(&f.admin, "admin", "127.0.0.1:7703", "address of /metrics, /healthz, /readyz, /debug/pprof; none does without")
	return cmd
}

func (g *globals) runTransfer(ctx context.Context, f transferFlags) error {
	if err := needData(f.data, "transfer"); err != nil {
		return err
	}
	host, err := hostName("")
	if err != nil {
		return err
	}
	if f.id == "" {
		f.id = transferID(host, f.data)
	}
	if f.outRoot == "" {
		f.outRoot = filepath.Join(f.data, "out")
	}
	src, err := g.source(etcdconf.KindSink, f.sinks, "--sinks", host)
	if err != nil {
		return err
	}
	defer src.close()
	s := newService(g)
	t, err := transfer.New(transfer.Config{
		Data: f.data, ID: f.id, Host: host, Version: version(), Only: f.only, Sinks: src.Source, OutRoot: f.outRoot,
		Kafka: g.kafkaConfig("loghaul-transfer"), Memory: int64(f.memory), Stdout: g.stdout,
		Status: src.publisher(etcdconf.TransferKey(f.id)), Logger: g.log.With("part", "transfer"), Registry: s.metrics,
	})
	if err != nil {
		return err
	}
	return s.runPart(ctx, "transfer", t, f.admin)
}

// transferID tells apart the transfers of one host by their data folders, and stays the same from start to start.
func transferID(host, data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return fmt.Sprintf("%s-%04x", host, crc32.ChecksumIEEE([]byte(data))&0xffff)
}
