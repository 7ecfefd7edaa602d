package topics

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// dynamicFile holds what clients changed while the broker ran:
//
//	{"version": 1, "all": {"log.retention.ms": "3600000"}, "node": {"message.max.bytes": "2000000"},
//	 "groups": {"g": {"consumer.session.timeout.ms": "50000"}}}
const dynamicFile = "broker-settings.json"

// dynamicContent is the file's content.
type dynamicContent struct {
	Version int `json:"version"`
	Dynamic
}

// mostDynamic is how many bytes the file may have: anybody may be allowed to name groups and give them settings.
const mostDynamic = 8 << 20

// writeDynamic writes the file, durably: clients are told that the change is made.
func writeDynamic(fsys disk.FS, dir string, d Dynamic) error {
	data, err := json.MarshalIndent(dynamicContent{1, d}, "", " ")
	if err != nil {
		return err
	}
	if len(data) > mostDynamic {
		return fmt.Errorf("%w: what is changed while the broker runs may take %d bytes, not %d: take back settings that are not needed", ErrSettings, mostDynamic, len(data))
	}
	return durable.ReplaceOn(fsys, filepath.Join(dir, dynamicFile), durable.Sign(data), 0o600) // it may hold passwords
}

// readDynamic reads it; without one nothing was changed.
func readDynamic(fsys disk.FS, dir string) (Dynamic, error) {
	path := filepath.Join(dir, dynamicFile)
	data, err := disk.ReadFile(fsys, path)
	if errors.Is(err, os.ErrNotExist) {
		return Dynamic{}, nil
	}
	if err == nil {
		data, err = durable.Unsign(data)
	}
	var c dynamicContent
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err == nil && c.Version != 1 {
		err = fmt.Errorf("version is %d, this program reads version 1", c.Version)
	}
	if err != nil {
		return Dynamic{}, fmt.Errorf("reading %s, which must be mended, or removed to forget what clients changed: %w", path, err)
	}
	return c.Dynamic, nil
}
