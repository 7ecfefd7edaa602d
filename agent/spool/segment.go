package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sort"

	"github.com/loghaul/loghaul/agent/follow"
	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/line"
)

const (
	magic       = "lhspool1"
	headSize    = 16        // of a segment: magic, length, checksum
	frameHead   = 28        // of a frame
	frameMost   = 256 << 10 // bytes of the source in one frame
	aboutMost   = 64 << 10  // bytes of a segment's JSON
	markEvery   = 64 << 10  // bytes between two places that are remembered for reading
	flagForsake = 1         // nobody wrote to the source any more
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errBad says that bytes are not what was written, or are cut short.
var errBad = errors.New("cut short or damaged")

// About is what a segment says of itself.
type About struct {
	Topic      string          `json:"topic"`
	ID         follow.ID       `json:"id"`
	Generation line.Generation `json:"generation"`
	Path       string          `json:"path"` // the generation's first one
	Began      int64           `json:"began"`
	Head       uint64          `json:"head"`
	HeadLength int             `json:"head_length"`
	Start      line.Position   `json:"start"` // of the first byte kept
	Line       line.Position   `json:"line"`  // where the line begins that Start lies in
}

// segment is one file of what is kept of a generation.
type segment struct {
	path       string
	about      About
	end        line.Position // after the last byte kept
	size       int64         // of whole frames in the file
	sourceSize int64
	forsaken   bool
	marks      []mark
}

// mark is a frame that reading may begin at.
type mark struct {
	position line.Position
	at       int64
}

// frame is one frame as its head says.
type frame struct {
	length     int
	sum        uint32
	position   line.Position
	sourceSize int64
	flags      uint32
}

func appendFrame(dst []byte, at line.Position, sourceSize int64, flags uint32, data []byte) []byte {
	from := len(dst)
	dst = append(dst, make([]byte, 8)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(sourceSize))
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	dst = append(dst, data...)
	binary.LittleEndian.PutUint32(dst[from:], uint32(len(data)))
	binary.LittleEndian.PutUint32(dst[from+4:], crc32.Checksum(dst[from+8:], castagnoli))
	return dst
}

// parseFrame reads a frame's head.
func parseFrame(b []byte) (frame, error) {
	if len(b) < frameHead {
		return frame{}, errBad
	}
	f := frame{
		length: int(binary.LittleEndian.Uint32(b)), sum: binary.LittleEndian.Uint32(b[4:]),
		position: line.Position(binary.LittleEndian.Uint64(b[8:])), sourceSize: int64(binary.LittleEndian.Uint64(b[16:])),
		flags: binary.LittleEndian.Uint32(b[24:]),
	}
	if f.length > frameMost || f.position < 0 || f.sourceSize < 0 {
		return frame{}, errBad
	}
	return f, nil
}

func (a About) header() ([]byte, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(text)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(text, castagnoli))
	return append(b, text...), nil
}

// took takes note of a frame that stands at the end of the segment.
func (s *segment) took(f frame) {
	if f.length > 0 {
		if n := len(s.marks); n == 0 || f.position-s.marks[n-1].position >= markEvery {
			s.marks = append(s.marks, mark{f.position, s.size})
		}
		s.end = f.position + line.Position(f.length)
	}
	s.size += int64(frameHead + f.length)
	s.sourceSize, s.forsaken = f.sourceSize, f.flags&flagForsake != 0
}

// scan reads a segment from its file: every frame is checked, and what stands behind
// the first bad one is told as torn.
func scan(fsys disk.FS, path string) (s *segment, torn int64, err error) {
	f, err := fsys.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	s = &segment{path: path}
	if err := s.scanHead(f); err != nil {
		return nil, st.Size(), err
	}
	b := make([]byte, frameHead+frameMost)
	for s.size < st.Size() {
		n, err := f.ReadAt(b[:min(int64(len(b)), st.Size()-s.size)], s.size)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		fr, err := parseFrame(b[:n])
		whole := frameHead + fr.length
		if err != nil || whole > n || fr.length > 0 && fr.position != s.end || crc32.Checksum(b[8:whole], castagnoli) != fr.sum {
			break
		}
		s.took(fr)
	}
	return s, st.Size() - s.size, nil
}

func (s *segment) scanHead(f io.ReaderAt) error {
	b := make([]byte, headSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return badOr(err)
	}
	n := binary.LittleEndian.Uint32(b[8:])
	if string(b[:8]) != magic || n > aboutMost {
		return errBad
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, headSize); err != nil {
		return badOr(err)
	}
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(b[12:]) || json.Unmarshal(text, &s.about) != nil || s.about.Start < 0 {
		return errBad
	}
	s.end, s.size = s.about.Start, headSize+int64(n)
	return nil
}

func badOr(err error) error {
	if errors.Is(err, io.EOF) {
		return errBad
	}
	return err
}

// read reads from position at on, as far as b and the segment reach.
func (s *segment) read(f io.ReaderAt, b []byte, at line.Position) (int, error) {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].position > at }) - 1
	if i < 0 {
		return 0, fmt.Errorf("reading %s at %d: %w", s.path, at, fs.ErrInvalid)
	}
	done := 0
	var head [frameHead]byte
	for from := s.marks[i].at; from < s.size && done < len(b); {
		if _, err := f.ReadAt(head[:], from); err != nil {
			return done, fmt.Errorf("reading %s: %w", s.path, err)
		}
		fr, err := parseFrame(head[:])
		if err != nil {
			return done, fmt.Errorf("reading %s at byte %d: %w", s.path, from, err)
		}
		if skip := int(at - fr.position); skip < fr.length {
			n := min(fr.length-skip, len(b)-done)
			if _, err := f.ReadAt(b[done:done+n], from+frameHead+int64(skip)); err != nil {
				return done, fmt.Errorf("reading %s: %w", s.path, err)
			}
			done += n
			at += line.Position(n)
		}
		from += int64(frameHead + fr.length)
	}
	return done, nil
}
