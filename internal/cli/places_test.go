package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWrongSettingIsReportedWithItsPlace(t *testing.T) {
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad := file("bad.properties", "# one\n\nnum.partitions=x\nlisteners=A://127.0.0.1\n")
	config := file("c.yaml", "set: {num.partitions: x}\n")
	for _, c := range []struct {
		args, environ []string
		says          []string
	}{
		{[]string{"--properties", bad}, nil, []string{bad + " line 3: Invalid value x", bad + " line 4: listeners", "must be host:port"}},
		{[]string{"--set", "num.partitions=x"}, nil, []string{"--set: Invalid value x for configuration num.partitions"}},
		{[]string{"--config", config}, nil, []string{config + ": set: Invalid value x"}},
		{nil, []string{"LOGHAUL_SET=num.partitions=x"}, []string{"LOGHAUL_SET: Invalid value x"}},
		{nil, []string{"KAFKA_NUM_PARTITIONS=x"}, []string{"KAFKA_NUM_PARTITIONS: Invalid value x"}},
		{nil, []string{"KAFKA_LISTENERS=PLAINTEXT://203.0.113.7:9092"}, []string{"listening on 203.0.113.7:9092", "KAFKA_LISTENERS"}},
	} {
		t.Run(strings.Join(append(c.args, c.environ...), " "), func(t *testing.T) {
			for _, v := range c.environ {
				name, value, _ := strings.Cut(v, "=")
				t.Setenv(name, value)
			}
			loghaul(t, append([]string{"broker", "--data", t.TempDir(), "--admin", "none"}, c.args...)...).want(t, exitFailed, c.says...)
		})
	}
	loghaul(t, "broker", "--data", t.TempDir(), "--properties", "/nowhere.properties").want(t, exitUsage, "/nowhere.properties")
}

func TestOfTwoVariablesForOneSettingThePlainOneCounts(t *testing.T) {
	for _, environ := range [][]string{
		{"KAFKA_CFG_NUM_PARTITIONS=2", "KAFKA_NUM_PARTITIONS=3"},
		{"KAFKA_NUM_PARTITIONS=3", "KAFKA_CFG_NUM_PARTITIONS=2"},
	} {
		got, talk, err := settingsOf(t, &brokerFlags{}, environ...)
		if err != nil || got["num.partitions"] != "3" || !strings.Contains(talk, "KAFKA_CFG_NUM_PARTITIONS and KAFKA_NUM_PARTITIONS are the same setting: KAFKA_NUM_PARTITIONS counts") {
			t.Errorf("%q: %v, %v, saying %q", environ, got, err, talk)
		}
	}
}

func TestTheClusterIDOfTheImages(t *testing.T) {
	const id = "4L6g3nShT-eMCtK--X86sw"
	for _, name := range []string{"CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"} {
		f := &brokerFlags{}
		if _, talk, err := settingsOf(t, f, name+"="+id); err != nil || f.clusterID != id || talk != "" {
			t.Errorf("%s: the cluster id is %q, %v, saying %q", name, f.clusterID, err, talk)
		}
	}
	f := &brokerFlags{}
	if _, talk, err := settingsOf(t, f, "CLUSTER_ID=prod"); err != nil || f.clusterID != "" || !strings.Contains(talk, "prod") {
		t.Errorf("the cluster id is %q, %v, saying %q", f.clusterID, err, talk)
	}
}

func TestAComposeFileWithAdvertisedListenersAloneStartsTheBroker(t *testing.T) {
	port := freePort(t)
	t.Setenv("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:"+port)
	b := begin(t, nil, "broker", "--data", t.TempDir(), "--admin", "none")
	b.ready()
	loghaul(t, "topic", "create", "t", "--brokers", "127.0.0.1:"+port).want(t, exitDone)
	loghaul(t, "produce", "t", "--brokers", "127.0.0.1:"+port).want(t, exitDone)
}

func TestAVariableOfOursThatNobodyReadsIsSaid(t *testing.T) {
	t.Setenv("LOGHAUL_LISTN", "127.0.0.1:0")
	t.Setenv("LOGHAUL_SERVICE_HOST", "10.0.0.1")
	o := loghaul(t, "version").want(t, exitDone, "LOGHAUL_LISTN is read by no command: did you mean LOGHAUL_LISTEN?")
	if strings.Contains(o.stderr, "SERVICE_HOST") {
		t.Errorf("what Kubernetes sets is warned of: %s", o.stderr)
	}
}
