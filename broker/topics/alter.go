package topics

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/loghaul/loghaul/broker/commitlog"
	"github.com/loghaul/loghaul/internal/durable"
)

// Alter replaces a topic's own settings. They are durable and in force when it returns.
func (t *Topics) Alter(name string, own map[string]string) error {
	return t.Edit(name, func(now map[string]string) error {
		clear(now)
		maps.Copy(now, own)
		return nil
	})
}

// Edit changes a topic's own settings: edit gets a copy of them, nobody else changes them meanwhile, and what it makes
// of them is checked, durable and in force when Edit returns. On an error everything is as it was.
func (t *Topics) Edit(name string, edit func(own map[string]string) error) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	topic := t.Get(name)
	if topic == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	own := maps.Clone(topic.Own())
	if own == nil {
		own = map[string]string{}
	}
	if err := edit(own); err != nil {
		return err
	}
	if maps.Equal(own, topic.Own()) {
		return nil
	}
	if err := t.checkOwn(name, own); err != nil {
		return err
	}
	m := manifest{Name: name, ID: topic.ID, Partitions: len(topic.Partitions()), Own: own}
	if err := durable.ReplaceOn(t.cfg.Disk, filepath.Join(t.cfg.Dir, folder(name, 0), manifestFile), m.encode(), 0o640); err != nil {
		return fmt.Errorf("altering topic %s: %w", name, err)
	}
	topic.own.Store(&own)
	return t.apply(topic)
}

// CheckEdit says whether Edit would refuse, without changing anything.
func (t *Topics) CheckEdit(name string, edit func(own map[string]string) error) error {
	topic := t.Get(name)
	if topic == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	own := map[string]string{}
	maps.Copy(own, topic.Own())
	if err := edit(own); err != nil {
		return err
	}
	return t.checkOwn(name, own)
}

// checkOwn checks what a topic's own settings shall be. The broker's own topics hold its state, of which age and size must
// take nothing.
func (t *Topics) checkOwn(name string, own map[string]string) error {
	if err := CheckTopic(own); err != nil {
		return refused(ErrSetting, err)
	}
	if log := t.cfg.Settings.effective(own).Log; IsInternal(name) && (log.RetentionAge > 0 || log.RetentionBytes > 0) {
		return refused(ErrSetting, fmt.Errorf("%s holds the broker's own state and must keep cleanup.policy=compact", name))
	}
	return nil
}

// apply puts a topic's settings over the broker's into force. The caller holds changing.
func (t *Topics) apply(topic *Topic) error {
	effective := t.cfg.Settings.effective(topic.Own())
	topic.effective.Store(&effective)
	var errs []error
	for _, p := range topic.Partitions() {
		if err := p.Log.SetConfig(t.logConfig(&effective)); err != nil && !errors.Is(err, commitlog.ErrClosed) {
			errs = append(errs, fmt.Errorf("applying the settings of %s: %w", folder(topic.Name, p.Index), err))
		}
	}
	return errors.Join(errs...)
}
