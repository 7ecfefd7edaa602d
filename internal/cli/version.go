package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this build calls itself in status and on the screen: the module's version, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if r := setting(info, "vcs.revision"); len(r) >= 12 {
		return "devel-" + r[:12]
	}
	return "devel"
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func newVersion(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "version", Short: "say which build this is", Args: cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return g.print(v, table{header: []string{"VERSION", "GO", "PLATFORM"}, rows: [][]string{{v.Version, v.Go, v.Platform}}})
		}),
	}
	g.addOutput(cmd)
	return cmd
}
