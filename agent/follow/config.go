package follow

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/loghaul/loghaul/agent/archive"
)

// What becomes of a line that is longer than MaxLine. The dropped bytes are
// always counted in Skipped.
const (
	Split    = "split"    // pieces of MaxLine bytes, numbered
	Truncate = "truncate" // its first MaxLine bytes
	Skip     = "skip"     // nothing
)

// Config says what a Stream follows and how.
type Config struct {
	Path       string                   // absolute; may be a symlink
	Resume     []Checkpoint             // what is known of this path's generations, in any order
	Rested     Seen                     // what Rest answered of an earlier Stream of this path; zero: nothing
	FromEnd    bool                     // with no Resume: begin at the end of the file found by the first Look
	MaxLine    int                      // bytes of a line without its ending, at least 16; default 1,000,000
	LongLines  string                   // Split (default), Truncate or Skip
	Quiet      time.Duration            // how long a rotated file must not have grown before the next is read; default 500 ms
	DeletedAge time.Duration            // how long a rotated or deleted file is watched for late lines; default 1 h
	Allow      func(real string) error  // asked about each file, after symlinks, before it is opened; nil allows all
	Spool      Spool                    // keeps files without a name; nil: nothing does
	Found      func([]Checkpoint) error // told what was found beside Path, oldest first, before anything younger is kept or handed on; nil: nobody is
	Archives   bool                     // an archive at Path is read as what it was made from; false: it is left alone
	Unpacking  *archive.Slots           // bounds the memory for archives; shared; nil: nothing does
	Known      Known                    // what is known of other paths; nil: nothing
	Owners     *Owners                  // shared by the Streams of one topic; nil: this Stream is alone
	Logger     *slog.Logger             // nil discards
}

// withDefaults fills what was left zero.
func (c Config) withDefaults() Config {
	if c.MaxLine == 0 {
		c.MaxLine = 1_000_000
	}
	if c.LongLines == "" {
		c.LongLines = Split
	}
	if c.Quiet == 0 {
		c.Quiet = 500 * time.Millisecond
	}
	if c.DeletedAge == 0 {
		c.DeletedAge = time.Hour
	}
	if c.Owners == nil {
		c.Owners = NewOwners(c.Resume)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate lists every complaint about c; zero values mean the defaults.
func (c Config) Validate() error {
	var errs []error
	complain := func(field string, value any, must string) {
		errs = append(errs, fmt.Errorf("%s (%v) must be %s", field, value, must))
	}
	if !filepath.IsAbs(c.Path) {
		complain("Path", c.Path, "an absolute path")
	}
	if c.MaxLine != 0 && c.MaxLine < 16 {
		complain("MaxLine", c.MaxLine, "at least 16 bytes")
	}
	switch c.LongLines {
	case "", Split, Truncate, Skip:
	default:
		complain("LongLines", c.LongLines, "split, truncate or skip")
	}
	if c.Quiet < 0 {
		complain("Quiet", c.Quiet, "positive")
	}
	if c.DeletedAge < 0 {
		complain("DeletedAge", c.DeletedAge, "positive")
	}
	return errors.Join(errs...)
}

// BufferSize is the size of a buffer for Next that no line of at most maxLine
// bytes is too long for.
func BufferSize(maxLine int) int { return max(leastBuffer, tailMost+maxLine+2) }

const leastBuffer = 4096
