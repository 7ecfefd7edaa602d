// Package realkafka starts a real Apache Kafka and runs its tools, for tests that compare with it. A test that needs it
// skips where it is not installed, and fails there under CI=true.
package realkafka

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Version is one of Apache Kafka that the tests know.
type Version string

const (
	// V4 is the Kafka whose answers are the measure.
	V4 Version = "4.3.1"
	// V3 still serves what 4 dropped: Produce 0 to 2, Fetch 0 to 3, message formats 0 and 1.
	V3 Version = "3.9.1"
)

// Env names a folder to look for jars in before the user's cache folder: it holds kafka-<version>/lib.
const Env = "LOGHAUL_TEST_KAFKA"

//go:embed Driver.java
var driverSource []byte

// Jars is the folder with the jars of a version: $LOGHAUL_TEST_KAFKA/kafka-<version>/lib, or
// <user cache folder>/loghaul/kafka-<version>/lib.
func Jars(t testing.TB, v Version) string {
	t.Helper()
	var tried []string
	if root := os.Getenv(Env); root != "" {
		tried = append(tried, filepath.Join(root, "kafka-"+string(v), "lib"))
	}
	if root, err := os.UserCacheDir(); err == nil {
		tried = append(tried, filepath.Join(root, "loghaul", "kafka-"+string(v), "lib"))
	}
	for _, dir := range tried {
		if found, _ := filepath.Glob(filepath.Join(dir, "kafka-clients-"+string(v)+".jar")); len(found) == 1 {
			return dir
		}
	}
	missing(t, "Apache Kafka %s is in none of %s: .ci/install brings it", v, strings.Join(tried, ", "))
	return ""
}

// missing skips the test, or fails it where everything must be there.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// needPrograms skips the test, or fails it under CI, where a Java program cannot be compiled and run.
func needPrograms(t testing.TB) {
	t.Helper()
	for _, name := range []string{"java", "javac"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, "%s is not installed: .ci/install brings it", name)
		}
	}
}

// Compile turns a Java source file, which may use everything of Kafka's, into classes, and answers their folder. It
// lies beside the jars and is made once for each content.
func Compile(t testing.TB, v Version, name string, source []byte) string {
	t.Helper()
	needPrograms(t)
	lib := Jars(t, v)
	sum := sha256.Sum256(source)
	dir := filepath.Join(filepath.Dir(lib), "classes-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := compile(lib, dir, name, source); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compile works in a folder of its own and renames it when it is whole: several test programs may do this at once.
func compile(lib, dir, name string, source []byte) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "compiling-")
	if err != nil {
		return fmt.Errorf("making a folder for classes: %w", err)
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, name+".java")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	classes := filepath.Join(work, "classes")
	out, err := exec.Command("javac", "-J-XX:TieredStopAtLevel=1", "-nowarn", "-cp", filepath.Join(lib, "*"), "-d", classes, file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compiling %s.java: %w\n%s", name, err, out)
	}
	if err := os.Rename(classes, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			return errors.Join(err, there)
		}
	}
	return nil
}

// command is a JVM with flags for a short life on few cores; classes come before the jars of v.
func command(t testing.TB, v Version, heap string, classes []string, args ...string) *exec.Cmd {
	t.Helper()
	lib := Jars(t, v)
	jars, err := filepath.Glob(filepath.Join(lib, "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	path := append(append([]string(nil), classes...), jars...)
	cmd := exec.Command("java", append([]string{
		"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx" + heap,
		"-cp", strings.Join(path, string(os.PathListSeparator)),
	}, args...)...)
	tie(cmd)
	return cmd
}
