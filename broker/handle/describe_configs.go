package handle

import (
	"context"
	"slices"
	"strconv"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (key 32): the settings of topics, of the broker, of its log and of groups, with values and where they
// come from.
//
// Versions 0 to 4. Resources are topics (2), the broker (4, named 1, or without a name for what was changed for all
// brokers while they ran), its loggers (8) and groups (32); others are INVALID_REQUEST. What has no effect here is shown
// too, with a word on that in its documentation. Passwords are never shown. What does not fit into 64 MiB any more is
// INVALID_REQUEST.
//
// Version notes: 1 brings sources and synonyms; 3 types and texts; 4 is flexible.
func (h *Handlers) describeConfigs(ctx context.Context, r *Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	req := r.Body.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	described := &describedConfigs{DescribeConfigsResponse: resp}
	for i := range req.Resources {
		asked := &req.Resources[i]
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = asked.ResourceType, asked.ResourceName
		var values []topics.Value
		err := described.full()
		if err == nil {
			values, err = h.configsOf(ctx, r.Peer, asked)
		}
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		for _, v := range values {
			if len(asked.ConfigNames) == 0 || slices.Contains(asked.ConfigNames, v.Name) {
				answer.Configs = append(answer.Configs, configEntry(req, v))
			}
		}
		described.add(answer)
	}
	return described, nil
}

// mostDescribed is how many bytes of settings one answer may hold: all topics that there may be fit in, without texts.
const mostDescribed = 64 << 20

// describedConfigs is an answer whose resources are encoded one by one: a request of kilobytes may ask for the broker's
// settings thousands of times, and kmsg's structs are ten times larger than the bytes they come to.
type describedConfigs struct {
	*kmsg.DescribeConfigsResponse // without resources
	resources                     []byte
	n                             int
	one                           []byte // buffer
}

// full is the error of a resource for which there is no room any more.
func (d *describedConfigs) full() error {
	if len(d.resources) < mostDescribed {
		return nil
	}
	return coded(errInvalidRequest, "The answer would have more than %d bytes: ask for fewer settings at a time.", mostDescribed)
}

// add encodes one resource, as an answer of its own whose frame is cut off.
func (d *describedConfigs) add(r kmsg.DescribeConfigsResponseResource) {
	alone := *d.DescribeConfigsResponse
	alone.Resources = []kmsg.DescribeConfigsResponseResource{r}
	d.one = alone.AppendTo(d.one[:0])
	head, tail := 4+4, 0 // throttle time, number of resources
	if d.IsFlexible() {
		head, tail = 4+1, 1
	}
	d.resources = append(d.resources, d.one[head:len(d.one)-tail]...)
	d.n++
}

// AppendTo appends the whole answer.
func (d *describedConfigs) AppendTo(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, d.ThrottleMillis)
	if !d.IsFlexible() {
		return append(kbin.AppendInt32(dst, int32(d.n)), d.resources...)
	}
	dst = append(kbin.AppendCompactArrayLen(dst, d.n), d.resources...)
	return append(dst, 0) // no tags
}

// configsOf is what one resource is set to.
func (h *Handlers) configsOf(ctx context.Context, p Peer, asked *kmsg.DescribeConfigsRequestResource) ([]topics.Value, error) {
	if err := h.mayConfigure(p, acl.DescribeConfigs, asked.ResourceType, asked.ResourceName); err != nil {
		return nil, err
	}
	settings := h.cfg.Topics.Settings()
	switch asked.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if err := topics.CheckName(asked.ResourceName); err != nil {
			return nil, err
		}
		topic := h.cfg.Topics.Get(asked.ResourceName)
		if topic == nil {
			return nil, coded(errUnknownTopicOrPartition, "no topic has this name")
		}
		h.checkAsked(topic, asked.ConfigNames)
		return settings.Topic(topic.Own()), nil
	case kmsg.ConfigResourceTypeBroker:
		if asked.ResourceName == "" {
			return settings.Cluster(), nil
		}
		if err := checkNode(asked.ResourceName); err != nil {
			return nil, err
		}
		values := settings.Broker()
		if slices.Contains(asked.ConfigNames, diskSetting) {
			values = append(values, h.diskValue(ctx))
		}
		return values, nil
	case kmsg.ConfigResourceTypeBrokerLogger:
		if err := checkNode(asked.ResourceName); err != nil {
			return nil, err
		}
		return h.loggerValues()
	case kmsg.ConfigResourceTypeGroupConfig:
		if asked.ResourceName == "" {
			return nil, coded(errInvalidRequest, "Group name must not be empty")
		}
		return settings.Group(asked.ResourceName), nil
	}
	return nil, coded(errInvalidRequest, "resource type %d has no settings here", asked.ResourceType)
}

// mayConfigure says whether the peer may see or change the settings of a resource.
func (h *Handlers) mayConfigure(p Peer, op acl.Operation, kind kmsg.ConfigResourceType, name string) error {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if !h.may(p, op, acl.Topic, name) {
			return coded(errTopicAuthorizationFailed, "Topic authorization failed.")
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		if !h.may(p, op, acl.Group, name) {
			return coded(errGroupAuthorizationFailed, "Group authorization failed.")
		}
	default:
		if !h.mayCluster(p, op) {
			return coded(errClusterAuthorizationFailed, "Cluster authorization failed.")
		}
	}
	return nil
}

// checkNode says whether a broker's name is this one's.
func checkNode(name string) error {
	n, err := strconv.Atoi(name)
	switch {
	case err != nil:
		return coded(errInvalidRequest, "Broker id must be an integer, but it is: %s", name)
	case n != int(NodeID):
		return coded(errInvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", NodeID, name)
	}
	return nil
}

// configEntry is one setting as the request's version and wishes have it.
func configEntry(req *kmsg.DescribeConfigsRequest, v topics.Value) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name = v.Name
	if !v.Null && !v.Secret {
		c.Value = &v.Value
	}
	c.Source = kmsg.ConfigSource(v.Source)
	c.IsDefault = v.Source == topics.FromDefault
	c.ReadOnly, c.IsSensitive = v.ReadOnly, v.Secret
	c.ConfigType = kmsg.ConfigType(v.Kind)
	if req.IncludeDocumentation {
		c.Documentation = kmsg.StringPtr(v.Meaning)
	}
	for i := range v.Synonyms {
		if !req.IncludeSynonyms {
			break
		}
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Source = v.Synonyms[i].Name, kmsg.ConfigSource(v.Synonyms[i].Source)
		if !v.Secret {
			s.Value = &v.Synonyms[i].Value
		}
		c.ConfigSynonyms = append(c.ConfigSynonyms, s)
	}
	return c
}
