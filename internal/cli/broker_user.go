package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/loghaul/loghaul/broker"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// longestPassword bounds what is read in its place, in bytes.
const longestPassword = 4 << 10

func newBrokerUser(g *globals) *cobra.Command {
	return newGroup("user", "add, remove and list those who may log in at the broker", newBrokerUserAdd(g), newBrokerUserRemove(g), newBrokerUserList(g))
}

// userFlags are those of the command broker user add.
type userFlags struct {
	data, passwordFile string
	mechanisms         []string
}

func newBrokerUserAdd(g *globals) *cobra.Command {
	var f userFlags
	cmd := &cobra.Command{
		Use: "add NAME --data DIR", Short: "let a user log in, or give one a new password", Args: cobra.ExactArgs(1),
		Long: `Keeps a salted hash of the password in the broker's data folder; a broker that runs sees it at the next login. The
password comes from --password-file, from standard input, or is asked for on a terminal.`,
		RunE: run(func(_ context.Context, args []string) error { return g.userAdd(args[0], f) }),
	}
	fl := cmd.Flags()
	addUserData(cmd, &f.data)
	fl.StringVar(&f.passwordFile, "password-file", "", "file with the password (default: standard input)")
	fl.StringSliceVar(&f.mechanisms, "mechanism", nil, "scram-sha-256 or scram-sha-512, by comma: the only ways for this user then; plain goes with each (default: both)")
	return cmd
}

// addUserData gives cmd the flag that names the broker's folder.
func addUserData(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "folder of the broker; required (below up: its own folder's broker)")
}

func (g *globals) userAdd(name string, f userFlags) error {
	u, err := openUsers(f.data)
	if err != nil {
		return err
	}
	password, err := g.newPassword(name, f.passwordFile)
	if err != nil {
		return err
	}
	if err := u.Add(name, password, f.mechanisms...); err != nil {
		return fmt.Errorf("adding user %q: %w", name, err)
	}
	g.sayf("user %s may log in", name)
	return nil
}

func openUsers(data string) (*broker.Users, error) {
	if err := needData(data, "broker"); err != nil {
		return nil, err
	}
	return broker.OpenUsers(data)
}

// newPassword reads a password from a file, from standard input, or twice from a terminal that does not show it.
func (g *globals) newPassword(name, path string) (string, error) {
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("reading --password-file: %w", err)
		}
		defer f.Close()
		return firstLine(f, "--password-file "+path)
	}
	in, ok := g.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return firstLine(g.stdin, "standard input")
	}
	var typed [2]string
	for i, prompt := range []string{"password for " + name + ": ", "the same again: "} {
		fmt.Fprint(g.stderr, prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(g.stderr)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords are not the same: try again")
	}
	return typed[0], nil
}

// firstLine is the first line of a file that holds a password.
func firstLine(r io.Reader, name string) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, longestPassword+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password from %s: %w", name, err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", fmt.Errorf("reading the password from %s: its first line is empty", name)
	case len(line) > longestPassword:
		return "", fmt.Errorf("reading the password from %s: it has more than %d bytes", name, longestPassword)
	}
	return line, nil
}

func newBrokerUserRemove(g *globals) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "rm NAME --data DIR", Aliases: []string{"remove", "delete"}, Short: "let a user log in no more; connections that are open stay", Args: cobra.ExactArgs(1),
		RunE: run(func(_ context.Context, args []string) error {
			u, err := openUsers(data)
			if err != nil {
				return err
			}
			if err := u.Remove(args[0]); err != nil {
				return fmt.Errorf("removing %w: see loghaul broker user list", err)
			}
			g.sayf("user %s may log in no more", args[0])
			return nil
		}),
	}
	addUserData(cmd, &data)
	return cmd
}

func newBrokerUserList(g *globals) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "list --data DIR", Short: "list those who may log in", Args: cobra.NoArgs,
		RunE: run(func(context.Context, []string) error {
			u, err := openUsers(data)
			if err != nil {
				return err
			}
			if info, err := os.Stat(data); err != nil || !info.IsDir() {
				return fmt.Errorf("--data %s: there is no such folder: name the one that the broker has", data)
			}
			list := u.List()
			t := table{header: []string{"USER", "MECHANISMS"}, empty: "no users yet: loghaul broker user add NAME makes one"}
			for _, user := range list {
				t.add(user.Name, strings.Join(user.Mechanisms, ","))
			}
			return g.print(map[string]any{"users": list}, t)
		}),
	}
	addUserData(cmd, &data)
	g.addOutput(cmd)
	return cmd
}
