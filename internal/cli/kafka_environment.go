package cli

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker"
)

// fromImages is what the environment says in the words of Kafka's container images.
type fromImages struct {
	settings map[string]string
	names    map[string]string // of the variables, by setting
	topics   []string          // to create
	others   []string          // variables that only those images read
	twice    []string          // variables that another one of the same setting wins over, with that one
	cluster  string            // the cluster id for a new folder
}

// kafkaEnvironment reads KAFKA_NUM_PARTITIONS as num.partitions, the way the images apache/kafka, confluentinc/cp-kafka
// and wurstmeister/kafka do: _ is a dot, __ an underscore, ___ a dash; bitnami/kafka has KAFKA_CFG_ before the same.
// KAFKA_CREATE_TOPICS is wurstmeister's. What the images keep for their scripts and for the Java process, and what
// Kubernetes puts there for a service named kafka, is no setting.
func kafkaEnvironment(environ []string) fromImages {
	e := fromImages{settings: map[string]string{}, names: map[string]string{}}
	separator, topics := "", ""
	for _, v := range environ {
		variable, value, _ := strings.Cut(v, "=")
		name, ok := strings.CutPrefix(variable, "KAFKA_")
		switch {
		case slices.Contains(clusterVariables, variable):
			e.cluster = cmp.Or(e.cluster, strings.TrimSpace(value))
		case !ok || name == "":
		case name == "CREATE_TOPICS":
			topics = value
		case name == "CREATE_TOPICS_SEPARATOR":
			separator = value
		case ofKubernetes(name, value):
		case ofImages(name):
			e.others = append(e.others, variable)
		default:
			name, bitnami := strings.CutPrefix(name, "CFG_")
			name = strings.ReplaceAll(strings.ToLower(name), "___", "-")
			name = strings.ReplaceAll(name, "__", "\x00")
			name = strings.ReplaceAll(name, "_", ".")
			name = strings.ReplaceAll(name, "\x00", "_")
			if other, again := e.names[name]; again {
				loser := other
				if bitnami {
					loser, variable, value = variable, other, e.settings[name]
				}
				e.twice = append(e.twice, fmt.Sprintf("%s and %s are the same setting: %s counts", loser, variable, variable))
			}
			e.settings[name], e.names[name] = value, variable
		}
	}
	e.topics = splitTopics(topics, separator)
	slices.Sort(e.others)
	return e
}

// clusterVariables name the cluster id in the images of Apache, Confluent and Bitnami.
var clusterVariables = []string{"CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"}

var clusterShape = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// check says which variables are no settings that Kafka has, each with the nearest one.
func (e fromImages) check() error {
	for _, name := range slices.Sorted(maps.Keys(e.settings)) {
		if near := broker.UnknownSetting(name); near != "" {
			variable := "KAFKA_" + strings.ToUpper(strings.NewReplacer("_", "__", "-", "___", ".", "_").Replace(near))
			return fmt.Errorf("environment %s: Kafka has no setting %s: did you mean %s? A variable that is not meant for the broker must be unset", e.names[name], name, variable)
		}
	}
	return nil
}

// splitTopics cuts the value of KAFKA_CREATE_TOPICS at its separator, or at commas and line ends.
func splitTopics(value, separator string) []string {
	if separator == "" || separator == "," {
		separator, value = "\n", strings.ReplaceAll(value, ",", "\n")
	}
	var list []string
	for topic := range strings.SplitSeq(value, separator) {
		if topic = strings.TrimSpace(topic); topic != "" {
			list = append(list, topic)
		}
	}
	return list
}

var portOfService = regexp.MustCompile(`(^|_)PORT_[0-9]+_(TCP|UDP)(_|$)`)

// ofKubernetes says whether a variable, without its KAFKA_, is one of those that tell where a service is.
func ofKubernetes(name, value string) bool {
	return strings.HasSuffix("_"+name, "_SERVICE_HOST") || strings.HasSuffix("_"+name, "_SERVICE_PORT") || strings.Contains("_"+name, "_SERVICE_PORT_") ||
		portOfService.MatchString(name) || strings.HasSuffix("_"+name, "_PORT") && strings.Contains(value, "://")
}

// imageVariables are the variables, without their KAFKA_, that the images' scripts read themselves.
var imageVariables = []string{"HOME", "VERSION", "OPTS", "DEBUG", "JMX_PORT", "JMX_HOSTNAME", "HEAP_OPTS", "CONFIG_FILE", "CONFLUENT_SECURITY_CLASSPATH",
	"BASE_DIR", "CONF_DIR", "CONF_FILE", "VOLUME_DIR", "DATA_DIR", "MOUNTED_CONF_DIR", "CERTS_DIR", "INITSCRIPTS_DIR", "LOG_DIR_PATH", "DAEMON_USER", "DAEMON_GROUP", "EXTRA_FLAGS",
	"KRAFT_BOOTSTRAP_SCRAM_USERS", "SKIP_KRAFT_STORAGE_INIT", "ENABLE_KRAFT", "CLIENT_LISTENER_NAME", "CLIENT_USERS", "CLIENT_PASSWORDS", "CLIENT_USER", "CLIENT_PASSWORD",
	"INTER_BROKER_USER", "INTER_BROKER_PASSWORD", "CONTROLLER_USER", "CONTROLLER_PASSWORD", "CERTIFICATE_PASSWORD", "TLS_TYPE", "TLS_CLIENT_AUTH", "TLS_TRUSTSTORE_FILE",
	"ZOOKEEPER_PROTOCOL", "ZOOKEEPER_USER", "ZOOKEEPER_PASSWORD", "INITIAL_CONTROLLERS", "SSL_KEYSTORE_FILENAME", "SSL_KEYSTORE_CREDENTIALS", "SSL_KEY_CREDENTIALS", "SSL_TRUSTSTORE_FILENAME",
	"SSL_TRUSTSTORE_CREDENTIALS", "INIT_MAX_TIMEOUT", "ZOOKEEPER_TLS_VERIFY_HOSTNAME"}

// ofImages says whether a variable, without its KAFKA_, belongs to the images' scripts or to the Java process.
func ofImages(name string) bool {
	if slices.Contains(imageVariables, name) {
		return true
	}
	for _, end := range []string{"_OPTS", "_LOGLEVEL", "LOG4J_LOGGERS", "_CLIENT_CNXN_SOCKET", "LOG4J2_CONFIGURATION_FILE"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, "LOG4J") || strings.HasPrefix(name, "TOOLS_LOG4J")
}
