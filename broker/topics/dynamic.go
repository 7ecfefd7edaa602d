package topics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrReadOnly says that a setting cannot be changed while the broker runs, or not in this place.
var ErrReadOnly = errors.New("read-only setting")

// Dynamic are the settings that clients changed while the broker ran. The maps are not changed after they are handed over.
type Dynamic struct {
	Node   map[string]string            `json:"node,omitempty"`   // of this broker; wins
	All    map[string]string            `json:"all,omitempty"`    // of all brokers of the cluster
	Groups map[string]map[string]string `json:"groups,omitempty"` // of consumer groups, by name
}

// Group are the settings of one group, to be changed.
func (d *Dynamic) Group(name string) map[string]string {
	own := d.Groups[name]
	if own == nil {
		own = map[string]string{}
		d.Groups[name] = own
	}
	return own
}

// clone is a copy that may be changed.
func (d Dynamic) clone() Dynamic {
	c := Dynamic{Node: map[string]string{}, All: map[string]string{}, Groups: map[string]map[string]string{}}
	maps.Copy(c.Node, d.Node)
	maps.Copy(c.All, d.All)
	for name, own := range d.Groups {
		c.Groups[name] = maps.Clone(own)
	}
	return c
}

// AlterBroker changes the broker's settings and those of groups while it runs: edit gets a copy of what was changed so
// far, and what it makes of that is checked, durable and in force on all topics when AlterBroker returns. On an error
// everything is as it was.
func (t *Topics) AlterBroker(edit func(d *Dynamic) error) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	s := t.cfg.Settings
	d, err := s.edited(edit)
	if err != nil {
		return err
	}
	if err := writeDynamic(t.cfg.Disk, t.cfg.Dir, d); err != nil {
		return fmt.Errorf("altering the broker's settings: %w", err)
	}
	old := s.now()
	s.layers.Store(newLayers(old.start, d))
	if maps.Equal(old.All, d.All) && maps.Equal(old.Node, d.Node) {
		return nil // of groups, which topics know nothing of
	}
	var errs []error
	for _, topic := range t.List() {
		errs = append(errs, t.apply(topic))
	}
	return errors.Join(errs...)
}

// CheckAlterBroker says whether AlterBroker would refuse, without changing anything.
func (t *Topics) CheckAlterBroker(edit func(d *Dynamic) error) error {
	_, err := t.cfg.Settings.edited(edit)
	return err
}

// edited is what edit makes of the dynamic settings, checked.
func (s *Settings) edited(edit func(d *Dynamic) error) (Dynamic, error) {
	return s.editedFrom(s.now().Dynamic, edit)
}

// editedFrom is what edit makes of other dynamic settings, checked where it changed them.
func (s *Settings) editedFrom(old Dynamic, edit func(d *Dynamic) error) (Dynamic, error) {
	d := old.clone()
	if err := edit(&d); err != nil {
		return d, err
	}
	errs := []error{checkDynamic(d.Node, old.Node, oneBroker), checkDynamic(d.All, old.All, wholeCluster)}
	for name, own := range d.Groups {
		errs = append(errs, s.checkGroup(own))
		if len(own) == 0 {
			delete(d.Groups, name)
		}
	}
	return d, errors.Join(errs...)
}

// checkDynamic checks what is new in settings of one broker or of the whole cluster, in Kafka's words.
func checkDynamic(now, old map[string]string, place reach) error {
	var readOnly, one []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if before, ok := old[name]; ok && before == now[name] {
			continue
		}
		s := brokerSetting(name)
		switch {
		case len(errs) >= mostComplaints:
			return errors.Join(errs...)
		case s == nil:
			errs = append(errs, refused(ErrSetting, fmt.Errorf("Unknown broker config name: %s%s", name, meant("; did you mean %s?", name, brokerNames()))))
		case s.reach == nowhere:
			readOnly = append(readOnly, name)
		case s.reach == oneBroker && place == wholeCluster:
			one = append(one, name)
		default:
			if err := s.check(name, now[name]); err != nil {
				errs = append(errs, refused(ErrSetting, err))
			}
		}
	}
	if readOnly != nil {
		errs = append(errs, refused(ErrReadOnly, fmt.Errorf("Cannot update these configs dynamically: [%s]", strings.Join(readOnly, ", "))))
	}
	if one != nil {
		errs = append(errs, refused(ErrReadOnly, fmt.Errorf("Cannot update these configs at default cluster level, broker id must be specified: [%s]", strings.Join(one, ", "))))
	}
	return errors.Join(errs...)
}
