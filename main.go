// Loghaul carries every log line once: from the file to a Kafka topic, from the topic to where you look.
package main

import (
	"os"

	"github.com/loghaul/loghaul/internal/cli"
)

func main() { os.Exit(cli.Main()) }
