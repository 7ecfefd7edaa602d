package topics

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// kafkaSettings lists what Kafka's brokers (3.9 and 4.3) can be told and what changes nothing here, a line each with
// tabs between
//
//	name  type  default  least[..most] or choice|choice or -  ro|dynamic|perbroker[,hidden]  why it changes nothing
//
//go:embed kafka_settings.txt
var kafkaSettings string

// idleSettings reads kafkaSettings.
func idleSettings() []setting {
	var list []setting
	for line := range strings.Lines(kafkaSettings) {
		s, err := idleSetting(strings.TrimRight(line, "\r\n"))
		if err != nil {
			panic("broker/topics: kafka_settings.txt: " + err.Error())
		}
		list = append(list, s)
	}
	return list
}

func idleSetting(line string) (setting, error) {
	f := strings.Split(line, "\t")
	if len(f) < 5 {
		return setting{}, fmt.Errorf("%q has %d fields", line, len(f))
	}
	s := setting{name: f[0], kind: kinds[f[1]], idle: true, min: math.MinInt64}
	if s.kind == 0 {
		return s, fmt.Errorf("%s has the type %q", s.name, f[1])
	}
	switch s.standard = f[2]; f[2] {
	case "null":
		s.standard, s.null = "", true
	case `""`:
		s.standard = ""
	}
	if least, most, _ := strings.Cut(f[3], ".."); f[3] != "-" {
		var err error
		if s.min, err = strconv.ParseInt(least, 10, 64); err != nil {
			s.min, s.choices = math.MinInt64, strings.Split(f[3], "|")
		} else if most != "" {
			s.max, _ = strconv.ParseInt(most, 10, 64)
		}
	}
	for flag := range strings.SplitSeq(f[4], ",") {
		switch flag {
		case "dynamic":
			s.reach = wholeCluster
		case "perbroker":
			s.reach = oneBroker
		case "hidden":
			s.hidden = true
		}
	}
	if len(f) > 5 {
		s.why = f[5]
	}
	return s, nil
}

// kinds are the types by Kafka's names.
var kinds = map[string]kind{"BOOLEAN": kindBool, "STRING": kindText, "INT": kindInt, "SHORT": kindShort, "LONG": kindLong, "DOUBLE": kindDouble,
	"LIST": kindList, "CLASS": kindClass, "PASSWORD": kindPassword}

// freePrefixes begin names that belong to plug-ins and to other vendors' distributions; Kafka itself reads none of them.
var freePrefixes = []string{"confluent.", "config.providers.", "rsm.config.", "rlmm.config.", "remote.log.storage.", "metrics.reporter.", "client.quota.callback.static."}

// listenerPrefix begins a setting of one listener: listener.name.external.ssl.keystore.location.
const listenerPrefix = "listener.name."
