package quota

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// The file is JSON; a name that is null is the default:
//
//	{"version": 1, "quotas": [
//	 {"user": "alice", "values": {"producer_byte_rate": 1048576}},
//	 {"user": "alice", "client-id": null, "values": {"consumer_byte_rate": 1048576}}]}
type fileContent struct {
	Version int        `json:"version"`
	Quotas  []fileRule `json:"quotas"`
}

// fileRule is one entity's quotas: its names, and under "values" what it may.
type fileRule map[string]json.RawMessage

// mostBytes is how large the file may be.
const mostBytes = 8 << 20

// write replaces the file, durably: clients are told that the quota is set.
func write(fsys disk.FS, path string, rules map[Entity]map[Key]float64) error {
	content := fileContent{Version: 1, Quotas: []fileRule{}}
	for e, values := range rules {
		r := fileRule{}
		for kind, part := range e.parts() {
			if !part.Set {
				continue
			}
			var name any
			if part.Name != "" {
				name = part.Name
			}
			r[kind], _ = json.Marshal(name) // a text or nil
		}
		r["values"], _ = json.Marshal(values) // checked: finite numbers
		content.Quotas = append(content.Quotas, r)
	}
	data, err := json.MarshalIndent(content, "", " ")
	if len(data) > mostBytes {
		return invalid("All quotas together may take %d bytes: remove some that are not needed.", mostBytes)
	}
	if err == nil {
		err = durable.ReplaceOn(fsys, path, durable.Sign(data), 0o640)
	}
	if err != nil {
		return fmt.Errorf("writing the client quotas: %w", err)
	}
	return nil
}

// parts are whom an entity names, by Kafka's words.
func (e Entity) parts() map[string]Part {
	return map[string]Part{"user": e.User, "client-id": e.Client, "ip": e.IP}
}

func read(fsys disk.FS, path string) (map[Entity]map[Key]float64, error) {
	data, err := disk.ReadFile(fsys, path)
	if errors.Is(err, os.ErrNotExist) {
		return map[Entity]map[Key]float64{}, nil
	}
	if err != nil {
		return nil, err
	}
	var rules map[Entity]map[Key]float64
	if data, err = durable.Unsign(data); err == nil {
		rules, err = parse(data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the client quotas of %s, which must be mended, or removed to forget them: %w", path, err)
	}
	return rules, nil
}

func parse(data []byte) (map[Entity]map[Key]float64, error) {
	var content fileContent
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, err
	}
	if content.Version != 1 {
		return nil, fmt.Errorf("version is %d, this program reads version 1", content.Version)
	}
	rules := map[Entity]map[Key]float64{}
	for _, r := range content.Quotas {
		e, values, err := r.rule()
		if err != nil {
			return nil, err
		}
		rules[e] = values
	}
	return rules, nil
}

// rule takes one rule of the file apart and checks it.
func (r fileRule) rule() (Entity, map[Key]float64, error) {
	var e Entity
	values := map[Key]float64{}
	for kind, raw := range r {
		if kind == "values" {
			if err := json.Unmarshal(raw, &values); err != nil {
				return e, nil, err
			}
			continue
		}
		var name *string
		if err := json.Unmarshal(raw, &name); err != nil {
			return e, nil, fmt.Errorf("%s: %w", kind, err)
		}
		part := Default
		if name != nil {
			part.Name = *name
		}
		switch kind {
		case "user":
			e.User = part
		case "client-id":
			e.Client = part
		case "ip":
			e.IP = part
		default:
			return e, nil, fmt.Errorf("%q is none of user, client-id, ip, values", kind)
		}
	}
	var changes []Change
	for key, value := range values {
		changes = append(changes, Change{Key: key, Value: value})
	}
	return e, values, check(e, changes)
}
