package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/loghaul/loghaul/etcdconf"
)

// DefaultPath is the path of a sink that names none, below the out root.
const DefaultPath = "{topic}/{partition}/{date}.log"

// fields is a sink's value as it is written, with the fields of type file.
type fields struct {
	etcdconf.SinkFields
	Path        string `json:"path"`        // template, default DefaultPath
	Compression string `json:"compression"` // none (default), gzip or zstd
	As          string `json:"as"`          // line (default) or json
	Roll        struct {
		Bytes etcdconf.Size     `json:"bytes"` // default 256 MiB, before compression; 0: never by size
		Age   etcdconf.Duration `json:"age"`   // default 1h, since the file's first line; 0: never by age
	} `json:"roll"`
}

// Settings are the checked fields of a sink of type file.
type Settings struct {
	path        template
	compression string
	json        bool
	rollBytes   int64
	rollAge     time.Duration
	single      bool // one topic by its full name: {partition} alone tells two files apart
}

// Parse reads the fields of type file out of a sink's value, strictly. outRoot is the folder that an absolute
// path must lie below.
func Parse(v etcdconf.Sink, outRoot string) (Settings, error) {
	f := fields{Path: DefaultPath, Compression: "none", As: "line"}
	f.Roll.Bytes, f.Roll.Age = 256<<20, etcdconf.Duration(time.Hour)
	raw := etcdconf.Value{Name: v.Name, Key: v.Key, Revision: v.Revision, Data: v.Raw}
	if err := etcdconf.Strict(raw, &f); err != nil {
		return Settings{}, err
	}
	s := Settings{
		compression: f.Compression, json: f.As == "json",
		rollBytes: int64(f.Roll.Bytes), rollAge: f.Roll.Age.Std(),
		single: len(v.Topics) == 1 && v.Topics[0] != "" && v.Topics[0][0] != '~',
	}
	var errs []error
	complain := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", v.Key, field, err))
		}
	}
	var err error
	s.path, err = parseTemplate(f.Path, outRoot)
	complain("path", err)
	complain("compression", oneOf(f.Compression, "none", "gzip", "zstd"))
	complain("as", oneOf(f.As, "line", "json"))
	if f.Roll.Bytes < 0 || f.Roll.Age < 0 {
		complain("roll", errors.New("bytes and age must not be negative"))
	}
	return s, errors.Join(errs...)
}

func oneOf(got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return fmt.Errorf("is %q, must be one of %q", got, want)
}
