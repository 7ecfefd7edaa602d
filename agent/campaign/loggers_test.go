package campaign

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// away closes the file, renames it and opens the path anew.
func (s *site) away(to string) error {
	if err := s.file.Close(); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already", to)
	}
	if err := os.Rename(s.path, to); err != nil {
		return err
	}
	return s.open()
}

// shift moves every older file one number up: RotatingFileHandler, log4j's RollingFile.
func shift(s *site) error {
	if err := s.file.Close(); err != nil {
		return err
	}
	if err := shiftNames(s.path, s.turns); err != nil {
		return err
	}
	return s.open()
}

// shiftNames renames path.N to path.N+1 for each N below turns, and path to path.1.
func shiftNames(path string, turns int) error {
	for i := turns - 1; i > 0; i-- {
		if err := os.Rename(fmt.Sprintf("%s.%d", path, i), fmt.Sprintf("%s.%d", path, i+1)); err != nil {
			return err
		}
	}
	return os.Rename(path, path+".1")
}

// ascending gives each old file the next number and leaves it: log4j with fileIndex=nomax.
func ascending(s *site) error { return s.away(fmt.Sprintf("%s/app-%d.log", s.dir, s.turns)) }

// timed names the old file by its time: TimedRotatingFileHandler.
func timed(s *site) error {
	return s.away(s.path + "." + time.Now().Format("2006-01-02_15-04-05.000"))
}

// backup names the old file by its time before the ending, so that it matches *.log
// itself: lumberjack.
func backup(s *site) error { return s.away(s.backupName()) }

func (s *site) backupName() string {
	return filepath.Join(s.dir, "app-"+time.Now().Format("2006-01-02T15-04-05.000")+".log")
}

// backupGzip does so and compresses the old file beside: lumberjack with Compress.
func backupGzip(s *site) error {
	to := s.backupName()
	if err := s.away(to); err != nil {
		return err
	}
	if s.any == nil {
		s.any = &sync.WaitGroup{}
	}
	mill := s.any.(*sync.WaitGroup)
	mill.Wait() // one at a time
	mill.Go(func() {
		if err := compressed(to); err != nil {
			s.fail("%s: %v", s.style.name, err)
		}
	})
	s.t.Cleanup(mill.Wait)
	return nil
}

// compressed turns a file into its archive, under its final name from the first byte on.
func compressed(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path+".gz", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	zip := gzip.NewWriter(out)
	if _, err := io.Copy(zip, in); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	return os.Remove(path)
}

// direct writes each file under its final name, to which the symlink app.log points: glog,
// cronolog, rotatelogs -l.
func direct(s *site) error {
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("app.%s.%d.log", time.Now().Format("20060102-150405"), s.turns)
	s.path = filepath.Join(s.dir, name)
	if err := s.open(); err != nil {
		return err
	}
	link := filepath.Join(s.dir, "app.log")
	if err := os.Symlink(name, link+".new"); err != nil {
		return err
	}
	return os.Rename(link+".new", link)
}
