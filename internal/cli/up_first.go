package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/internal/durable"
)

// What up follows and writes where nobody has said otherwise.
var systemLogs = []string{"/var/log/**/*.log", "/var/log/syslog", "/var/log/messages"}

const (
	systemInput = "system"
	systemTopic = "web_log"
	fileSink    = "file"
	filePath    = "{topic}/{partition}/{date}.log"
)

// remember keeps the patterns of --follow in the data folder, so that a later start without it may read the same folders.
func (u *together) remember() error {
	path := filepath.Join(u.data, "follow.json")
	if len(u.f.follow) == 0 {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = json.Unmarshal(b, &u.followed)
		}
		if err != nil {
			return fmt.Errorf("reading what --follow said last from %s: %w: say it again", path, err)
		}
		return nil
	}
	u.followed = u.f.follow
	b, err := json.Marshal(u.followed)
	if err == nil {
		err = durable.Replace(path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("remembering --follow: %w", err)
	}
	return nil
}

// configure writes the first input and sink once in the life of a data folder: what is changed or removed later stays
// so. --follow rewrites the input at any start.
func (u *together) configure(ctx context.Context) error {
	done := filepath.Join(u.data, "configured")
	_, err := os.Stat(done)
	first := errors.Is(err, os.ErrNotExist)
	if len(u.f.follow) > 0 {
		if err := u.put(ctx, etcdconf.KindInput, systemInput, inputValue(u.f.follow)); err != nil {
			return err
		}
		u.said = "input system now follows what --follow says"
	} else if first {
		if err := u.putNew(ctx, etcdconf.KindInput, systemInput, inputValue(systemLogs)); err != nil {
			return err
		}
	}
	if !first {
		return nil
	}
	sink := map[string]any{"type": "file", "topics": []string{systemTopic}, "path": filePath}
	if err := u.putNew(ctx, etcdconf.KindSink, fileSink, sink); err != nil {
		return err
	}
	if err := durable.Replace(done, []byte("the first input and sink were written; etcd has them\n"), 0o600); err != nil {
		return fmt.Errorf("remembering the first run: %w", err)
	}
	u.said = fmt.Sprintf("first run: wrote the input %s and the sink %s to etcd", systemInput, fileSink)
	return nil
}

func inputValue(paths []string) any {
	return map[string]any{"paths": paths, "topic": systemTopic}
}

func (u *together) put(ctx context.Context, kind etcdconf.Kind, name string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = u.client.Put(ctx, kind, name, b)
	return err
}

// putNew leaves alone what is there already.
func (u *together) putNew(ctx context.Context, kind etcdconf.Kind, name string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if _, err = u.client.PutIf(ctx, kind, name, b, 0); errors.Is(err, etcdconf.ErrConflict) {
		return nil
	}
	return err
}

// settled waits a moment for the agent to have applied its inputs, so that the screen can name the files.
func (u *together) settled(ctx context.Context) etcdconf.AgentStatus {
	const patience, pause = 400 * time.Millisecond, 10 * time.Millisecond
	late := time.After(patience)
	for {
		s := u.agent.Status()
		if len(s.Inputs) > 0 && !applying(s) && len(s.Streams) >= min(filesOf(s), filesShown) {
			return s
		}
		select {
		case <-time.After(pause):
		case <-late:
			return s
		case <-ctx.Done():
			return s
		}
	}
}

// filesOf counts the files that match the inputs.
func filesOf(s etcdconf.AgentStatus) int {
	n := 0
	for _, i := range s.Inputs {
		n += i.Files
	}
	return n
}

// applying tells whether an input is still on its way.
func applying(s etcdconf.AgentStatus) bool {
	for _, i := range s.Inputs {
		if i.State == etcdconf.StateApplying {
			return true
		}
	}
	return false
}
