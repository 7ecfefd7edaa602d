package handle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// configOp says what is done to a setting, with Kafka's own numbers.
type configOp int8

const (
	opSet      configOp = 0
	opDelete   configOp = 1 // back to what the setting is without
	opAppend   configOp = 2 // of lists: one or more parts more
	opSubtract configOp = 3 // of lists: parts less
)

// configChange is one change of a setting.
type configChange struct {
	name  string
	op    configOp
	value *string // nil with opDelete
}

// configResource is what AlterConfigs and IncrementalAlterConfigs change: the settings of one thing.
type configResource struct {
	kind    kmsg.ConfigResourceType
	name    string
	changes []configChange
	replace bool // what is not named goes back to what it is without, as AlterConfigs does
}

// alterResource changes the settings of one resource, durably and in force when it returns.
func (h *Handlers) alterResource(p Peer, r configResource, validate bool) error {
	if err := h.mayConfigure(p, acl.AlterConfigs, r.kind, r.name); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	var err error
	switch r.kind {
	case kmsg.ConfigResourceTypeTopic:
		err = h.alterTopic(r, validate)
	case kmsg.ConfigResourceTypeBroker:
		err = h.alterBroker(r, validate)
	case kmsg.ConfigResourceTypeBrokerLogger:
		err = h.alterLoggers(r, validate)
	case kmsg.ConfigResourceTypeGroupConfig:
		err = h.alterGroup(r, validate)
	default:
		err = coded(errInvalidRequest, "resource type %d has no settings here", r.kind)
	}
	if err == nil && !validate {
		h.log.Info("settings changed by a client", "of", r.kind.String(), "name", r.name, "settings", r.names(), p.Who())
	}
	return err
}

// check holds a resource's changes against each other, as Kafka does.
func (r *configResource) check() error {
	seen := map[string]bool{}
	for _, c := range r.changes {
		switch {
		case seen[c.name]:
			return coded(errInvalidRequest, "Error due to duplicate config keys: %s", c.name)
		case c.op < opSet || c.op > opSubtract:
			return coded(errInvalidRequest, "Unknown operation type %d", c.op)
		case c.value == nil && c.op != opDelete:
			return coded(errInvalidRequest, "Null value not supported for: %s", c.name)
		}
		seen[c.name] = true
	}
	return nil
}

// names are the settings that are changed, in order of the request.
func (r *configResource) names() string {
	var names []string
	for _, c := range r.changes {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

// apply makes the changes to the settings in own. base is what a setting is without, for lists that grow from there.
func (r *configResource) apply(own map[string]string, isList func(string) (known, list bool), base func(string) string) error {
	if r.replace {
		clear(own)
	}
	for _, c := range r.changes {
		if c.op == opDelete {
			delete(own, c.name)
			continue
		}
		if c.op == opSet {
			own[c.name] = *c.value
			continue
		}
		if known, list := isList(c.name); known && !list {
			word := map[configOp]string{opAppend: "APPEND", opSubtract: "SUBTRACT"}[c.op]
			return coded(errInvalidConfig, "Can't %s to key %s because its type is not LIST.", word, c.name)
		}
		now, ok := own[c.name]
		if !ok {
			now = base(c.name)
		}
		own[c.name] = changeList(now, *c.value, c.op)
	}
	return nil
}

// changeList adds parts to a list that are not in it, or takes parts away.
func changeList(now, value string, op configOp) string {
	parts := slices.DeleteFunc(strings.Split(now, ","), func(s string) bool { return strings.TrimSpace(s) == "" })
	has := map[string]bool{} // both lists may be long
	for _, part := range parts {
		has[part] = true
	}
	for part := range strings.SplitSeq(value, ",") {
		if op == opAppend && !has[part] && part != "" {
			parts = append(parts, part)
		}
		has[part] = op == opAppend
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return !has[s] })
	return strings.Join(parts, ",")
}

func (h *Handlers) alterTopic(r configResource, validate bool) error {
	if r.name == "" {
		return coded(errInvalidRequest, "Default topic resources are not allowed.")
	}
	if err := topics.CheckName(r.name); err != nil {
		return err
	}
	if h.cfg.Topics.Get(r.name) == nil {
		return coded(errUnknownTopicOrPartition, "The topic '%s' does not exist.", r.name)
	}
	settings := h.cfg.Topics.Settings()
	edit := func(own map[string]string) error {
		return r.apply(own, topics.IsTopicList, settings.TopicDefault)
	}
	if validate {
		return h.cfg.Topics.CheckEdit(r.name, edit)
	}
	return h.cfg.Topics.Edit(r.name, edit)
}

func (h *Handlers) alterBroker(r configResource, validate bool) error {
	if r.name != "" {
		if err := checkNode(r.name); err != nil {
			return err
		}
	}
	settings := h.cfg.Topics.Settings()
	edit := func(d *topics.Dynamic) error {
		own := d.All
		if r.name != "" {
			own = d.Node
		}
		return r.apply(own, topics.IsBrokerList, settings.Text)
	}
	var err error
	if validate {
		err = h.cfg.Topics.CheckAlterBroker(edit)
	} else {
		err = h.cfg.Topics.AlterBroker(edit)
	}
	return asRequest(err)
}

func (h *Handlers) alterGroup(r configResource, validate bool) error {
	if r.name == "" {
		return coded(errInvalidRequest, "Default group resources are not allowed.")
	}
	edit := func(d *topics.Dynamic) error {
		own := d.Group(r.name)
		return r.apply(own, func(string) (bool, bool) { return true, false }, nil)
	}
	if validate {
		return h.cfg.Topics.CheckAlterBroker(edit)
	}
	return h.cfg.Topics.AlterBroker(edit)
}

func (h *Handlers) alterLoggers(r configResource, validate bool) error {
	if err := checkNode(r.name); err != nil {
		return err
	}
	if r.replace {
		return coded(errInvalidRequest, "log levels are changed one by one, by IncrementalAlterConfigs")
	}
	for _, dry := range []bool{true, validate} { // all or none
		for _, c := range r.changes {
			if err := h.setLogger(c, dry); err != nil {
				return err
			}
		}
	}
	return nil
}

// asRequest makes INVALID_REQUEST of what Kafka calls so for brokers and INVALID_CONFIG for topics.
func asRequest(err error) error {
	if errors.Is(err, topics.ErrSetting) || errors.Is(err, topics.ErrReadOnly) {
		return coded(errInvalidRequest, "%s", fmt.Sprint(err))
	}
	return err
}
