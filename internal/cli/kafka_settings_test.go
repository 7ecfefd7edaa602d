package cli

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/loghaul/loghaul/broker"
)

// settingsOf gathers the broker's settings as the command does.
func settingsOf(t *testing.T, f *brokerFlags, environ ...string) (map[string]string, string, error) {
	t.Helper()
	var talk safeBuffer
	g := &globals{stderr: &talk, logLevel: "info"}
	if err := g.check(); err != nil {
		t.Fatal(err)
	}
	settings, err := g.brokerSettings(f, environ)
	g.dataOfSettings(f, settings)
	return settings, talk.String(), err
}

func TestKafkasOwnSettingsComeFromThreePlaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	text := "# comment\n! comment\nnum.partitions=2\nlog.retention.hours: 5\nbroker.rack=a=b:\\\n  9092\n\nmessage.max.bytes = 9\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &brokerFlags{properties: file, set: []string{"message.max.bytes=8"}}
	got, talk, err := settingsOf(t, f, "KAFKA_LOG_RETENTION_HOURS=6", "KAFKA_MESSAGE_MAX_BYTES=7", "KAFKA_CFG_LOG_ROLL_HOURS=3", "KAFKA_HEAP_OPTS=-Xmx1G", "KAFKA_HOME=/opt", "HOME=/root",
		"KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_SERVICE_HOST=10.0.0.1", "KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "KAFKA_UI_SERVICE_PORT_HTTP=80")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"num.partitions": "2", "log.retention.hours": "6", "log.roll.hours": "3", "broker.rack": "a=b:9092", "message.max.bytes": "8"}
	if !maps.Equal(got, want) {
		t.Errorf("settings = %v, want %v", got, want)
	}
	if !strings.Contains(talk, "KAFKA_HEAP_OPTS, KAFKA_HOME") {
		t.Errorf("said %q, want the variables of the images named", talk)
	}
	if err := os.WriteFile(file, []byte("num.partitions=2\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readProperties(file); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("reading a broken file: %v, want line 2 named", err)
	}
}

func TestAVariableThatKafkaDoesNotKnowIsRefusedWithTheNearest(t *testing.T) {
	_, _, err := settingsOf(t, &brokerFlags{}, "KAFKA_NUM_PARTITION=3")
	if err == nil || !strings.Contains(err.Error(), "KAFKA_NUM_PARTITION:") || !strings.Contains(err.Error(), "did you mean KAFKA_NUM_PARTITIONS?") {
		t.Errorf("the error is %v", err)
	}
	if _, _, err := settingsOf(t, &brokerFlags{}, "KAFKA_LISTENER_NAME_EXTERNAL_SSL_CLIENT_AUTH=required", "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE=false"); err != nil {
		t.Errorf("settings of a listener and of a distribution: %v", err)
	}
}

func TestTopicsToCreateComeFromTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    []string
	}{
		{[]string{"KAFKA_CREATE_TOPICS=a:1:1,b:2:3:compact"}, []string{"a:1:1", "b:2:3:compact"}},
		{[]string{"KAFKA_CREATE_TOPICS=\n a:1:1\n b:2\n"}, []string{"a:1:1", "b:2"}},
		{[]string{"KAFKA_CREATE_TOPICS=a:1:1;b:2", "KAFKA_CREATE_TOPICS_SEPARATOR=;"}, []string{"a:1:1", "b:2"}},
		{nil, nil},
	} {
		f := &brokerFlags{}
		if _, _, err := settingsOf(t, f, c.environ...); err != nil || !slices.Equal(f.createTopics, c.want) {
			t.Errorf("%q makes %q, %v, want %q", c.environ, f.createTopics, err, c.want)
		}
	}
	f := &brokerFlags{createTopics: []string{"typed:1"}}
	if _, _, err := settingsOf(t, f, "KAFKA_CREATE_TOPICS=a:1:1"); err != nil || !slices.Equal(f.createTopics, []string{"typed:1"}) {
		t.Errorf("typed topics became %q, %v", f.createTopics, err)
	}
}

func TestTheDataFolderComesFromLogDirsWhereNoneIsTyped(t *testing.T) {
	for _, c := range []struct{ typed, setting, want, says string }{
		{"", "log.dirs=/a", "/a", ""},
		{"", "log.dir=/b", "/b", ""},
		{"", "log.dirs=/a, /b", "/a", "one folder"},
		{"/typed", "log.dirs=/a", "/typed", "--data /typed is used"},
		{"/typed", "num.partitions=1", "/typed", ""},
	} {
		f := &brokerFlags{data: c.typed, set: []string{c.setting}}
		if _, talk, err := settingsOf(t, f); err != nil || f.data != c.want || !strings.Contains(talk, c.says) || c.says == "" && talk != "" {
			t.Errorf("--data %q with %s is %q, %v, saying %q", c.typed, c.setting, f.data, err, talk)
		}
	}
}

// TestApachesOwnFilesStartTheBroker runs the command with what Apache's distributions come with.
func TestApachesOwnFilesStartTheBroker(t *testing.T) {
	for _, name := range []string{"server-4.properties", "server-3.9.properties"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			data := t.TempDir()
			file := filepath.Join(t.TempDir(), "server.properties")
			text = []byte(strings.NewReplacer("DATA", filepath.ToSlash(data), "PORT", freePort(t)).Replace(string(text)))
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"broker", "--properties", file, "--admin", "none"}
			if name == "server-3.9.properties" { // it names no listener, and the port may be taken
				args = append(args, "--listen", "127.0.0.1:0")
			}
			b := begin(t, nil, args...)
			at := strings.ReplaceAll(b.ready()["broker"], "0.0.0.0", "127.0.0.1")
			loghaul(t, "topic", "create", "t", "--brokers", at).want(t, exitDone)
			if _, err := os.Stat(filepath.Join(data, "t-1", "00000000000000000000.log")); err != nil {
				t.Errorf("the second partition is not below log.dirs: %v", err)
			}
			talk := b.stderr.String()
			if n := strings.Count(talk, "have no effect here"); n != 1 || !strings.Contains(talk, "num.network.threads") {
				t.Errorf("it said %d times which settings have no effect: %s", n, talk)
			}
		})
	}
}

// freePort is a port of this machine that nobody had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestPropertiesAreReadAsJavaReadsThem(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"a=1\r\nb = 2 \rc:3\nd 4\n":            {"a": "1", "b": "2", "c": "3", "d": "4"},
		"a = x\\\n    y\\\n  z\nb=\n":          {"a": "xyz", "b": ""},
		"a\\=b\\:c=d\\\\\nk=\\u0041\\tB\\q":    {"a=b:c": `d\`, "k": "A\tBq"},
		"#a=1\n  ! b=2\n\n \t\nc=# no comment": {"c": "# no comment"},
		"a==b\nb= :c\n":                        {"a": "=b", "b": ":c"},
		"a=1\na=2":                             {"a": "2"},
		"a=ends\\":                             {"a": "ends"},
	} {
		if got, _, err := parseProperties(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"a", "=b", `a=\u12`, `a=\uzzzz`, "a=1\nalone  \n"} {
		if got, _, err := parseProperties(text); err == nil {
			t.Errorf("%q is %q, want a refusal", text, got)
		}
	}
}

func FuzzProperties(f *testing.F) {
	for _, text := range []string{"a=b", "a\\\n=b", `k\ ey: v\u0041`, "#\n!x\n\ta b", "a=\\"} {
		f.Add(text)
	}
	escape := strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, " ", `\ `, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\f", `\f`, "#", `\#`, "!", `\!`)
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := parseProperties(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for k, v := range got {
			if k == "" {
				t.Fatalf("%q has a name that is empty", text)
			}
			again.WriteString(escape.Replace(k) + "=" + escape.Replace(v) + "\n")
		}
		// A value's blanks at the end fall away, also those that came by a backslash.
		twice, _, err := parseProperties(again.String())
		if err != nil || len(twice) != len(got) {
			t.Fatalf("%q is %q, written again %q, and that is %q, %v", text, got, again.String(), twice, err)
		}
		for k, v := range got {
			if twice[k] != v {
				t.Fatalf("%q: %q is %q, and read again %q", text, k, v, twice[k])
			}
		}
	})
}

func FuzzEnvironment(f *testing.F) {
	f.Add("KAFKA_NUM_PARTITIONS", "3")
	f.Add("KAFKA_CFG_A__B___C", "")
	f.Add("KAFKA_PORT", "tcp://1.2.3.4:9092")
	f.Fuzz(func(t *testing.T, name, value string) {
		e := kafkaEnvironment([]string{name + "=" + value, "KAFKA_CREATE_TOPICS=" + value})
		for k, v := range e.settings {
			if k != strings.ToLower(k) || strings.Contains(k, "\x00") && !strings.Contains(name, "\x00") || v != strings.SplitN(name+"="+value, "=", 2)[1] {
				t.Fatalf("%q=%q became %q=%q", name, value, k, v)
			}
		}
		for _, topic := range e.topics {
			if topic == "" || topic != strings.TrimSpace(topic) {
				t.Fatalf("%q has the topic %q", value, topic)
			}
		}
		if err := e.check(); err != nil && utf8.ValidString(name) && broker.UnknownSetting(strings.ToLower(name)) == "" {
			t.Fatal(err)
		}
	})
}
