package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/loghaul/loghaul/etcdconf"
	"github.com/loghaul/loghaul/transfer/sink"
	"github.com/loghaul/loghaul/transfer/sink/file"
	"github.com/loghaul/loghaul/transfer/sink/stdout"
	"github.com/loghaul/loghaul/transfer/worker"
)

// CheckSink says what is wrong with a sink's value, its type's own fields included. Where files may lie is checked by
// the transfer that serves it, which knows its out root.
func CheckSink(s etcdconf.Sink) error { return checkSink(s, "") }

func checkSink(s etcdconf.Sink, outRoot string) error {
	var errs []error
	if _, err := subscribe(s.Topics); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", s.Key, err))
	}
	if len(s.Process) > 0 {
		errs = append(errs, fmt.Errorf("%s: process: this version moves lines as they are and knows no steps yet: leave process out", s.Key))
	}
	var err error
	switch s.Type {
	case "file":
		_, err = file.Parse(s, outRoot)
	case "stdout":
		err = stdout.Parse(s)
	default:
		err = fmt.Errorf("%s: type: %q is not known here: file and stdout are", s.Key, s.Type)
	}
	return errors.Join(append(errs, err)...)
}

// openSink opens the destination of a value and says who its owner is.
func (e *env) openSink(s etcdconf.Sink) (sink.Sink, string, error) {
	switch s.Type {
	case "file":
		set, err := file.Parse(s, e.cfg.OutRoot)
		if err != nil {
			return nil, "", err
		}
		f, err := file.Open(file.Config{Name: s.Name, Root: e.cfg.OutRoot, Host: e.cfg.Host, Settings: set, Logger: e.log})
		if err != nil {
			return nil, "", err
		}
		return f, f.Owner(), nil
	case "stdout":
		if e.stdout == nil {
			return nil, "", fmt.Errorf("%s: type: this transfer has no standard output to write to", s.Key)
		}
		return e.stdout, e.cfg.Host, nil
	}
	return nil, "", fmt.Errorf("%s: type: %q is not known here", s.Key, s.Type)
}

// limits are a value's batch limits. Sinks that take lines one by one do not mind how many a batch has, and every batch
// costs an fsync or more: for them records bound a batch only where the value says so itself.
func limits(s etcdconf.Sink) worker.Limits {
	l := worker.Limits{Records: s.Batch.Records, Bytes: int(s.Batch.Bytes), Age: s.Batch.Age.Std()}
	var said struct {
		Batch struct {
			Records *int `json:"records"`
		} `json:"batch"`
	}
	if json.Unmarshal(s.Raw, &said) == nil && said.Batch.Records == nil {
		l.Records = 0
	}
	return l
}

// digest tells one value of a sink from another.
func digest(s etcdconf.Sink) string {
	sum := sha256.Sum256(s.Raw)
	return hex.EncodeToString(sum[:6])
}
