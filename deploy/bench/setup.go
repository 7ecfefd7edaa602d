package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Setup is what the measurements of the broker and of the agent are told alike.
type Setup struct {
	Program   string                           // the loghaul executable; required
	Env       []string                         // added to its environment
	Dir       string                           // existing folder for everything generated and stored; "" is the system's
	Legs      []string                         // which legs to run; none: all
	Kafka     string                           // folder with Apache Kafka's jars; "" looks into the user's cache folder, none does without
	KafkaHeap string                           // of its JVM [1g], as Kafka's own start script has it
	Say       func(format string, args ...any) // hears what is going on; required
}

// complaints lists what is wrong; names are the legs that there are.
func (s Setup) complaints(names []string) (errs []error) {
	if s.Program == "" {
		errs = append(errs, errors.New("Program must be given"))
	}
	if s.Say == nil {
		errs = append(errs, errors.New("Say must be given"))
	}
	for _, name := range s.Legs {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("Legs (%s) must be of %s", name, strings.Join(names, ", ")))
		}
	}
	return errs
}

// folder makes a folder of the measurement's own, which its caller removes.
func (s Setup) folder() (string, error) {
	dir, err := os.MkdirTemp(s.Dir, "loghaul-bench-")
	if err != nil {
		return "", fmt.Errorf("making a folder for the measurement: %w", err)
	}
	return filepath.Abs(dir)
}

// servers are the bundled broker and, where it is to be had, an Apache Kafka, with its version.
func (s Setup) servers() (makers []maker, k *apacheKafka, version string, err error) {
	makers = []maker{&loghaul{program: s.Program, env: s.Env}}
	switch k, err = findKafka(s); {
	case err == nil:
		return append(makers, k), k, k.version, nil
	case errors.Is(err, errNoKafka):
		s.Say("loghaul alone: %v", err)
		return makers, nil, "", nil
	}
	return nil, nil, "", err
}

// each runs the legs that are asked for, in their order, until the context ends. What could not be measured is the error;
// the rest is found all the same.
func (s Setup) each(ctx context.Context, names []string, measure func(i int) ([]BrokerLeg, error)) (found []BrokerLeg, err error) {
	var errs []error
	for i, name := range names {
		if len(s.Legs) > 0 && !slices.Contains(s.Legs, name) {
			continue
		}
		legs, err := measure(i)
		found = append(found, legs...)
		if ctx.Err() != nil { // whatever failed, failed by this
			errs = append(errs, ctx.Err())
			break
		}
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}
