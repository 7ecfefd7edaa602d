package handle

import (
	"context"
	"slices"
	"strconv"

	"github.com/loghaul/loghaul/broker/topics"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (key 32): the settings of topics and of the broker, with values that have an effect here and where
// they come from.
//
// Versions 0 to 4. Resources are topics (2) and the broker (4, named 1 or not at all); others are INVALID_REQUEST.
//
// Version notes: 1 brings sources and synonyms; 3 types and texts; 4 is flexible.
func (h *Handlers) describeConfigs(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range req.Resources {
		asked := &req.Resources[i]
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = asked.ResourceType, asked.ResourceName
		values, err := h.configsOf(asked)
		answer.ErrorCode, answer.ErrorMessage = topicError(err)
		for _, v := range values {
			if len(asked.ConfigNames) == 0 || slices.Contains(asked.ConfigNames, v.Name) {
				answer.Configs = append(answer.Configs, h.configEntry(req, asked.ResourceType, v))
			}
		}
		resp.Resources = append(resp.Resources, answer)
	}
	return resp, nil
}

func (h *Handlers) configsOf(asked *kmsg.DescribeConfigsRequestResource) ([]topics.Value, error) {
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
		return settings.Topic(topic.Own()), nil
	case kmsg.ConfigResourceTypeBroker:
		if asked.ResourceName == "" {
			return nil, nil // asks for what was changed for all brokers while they ran: nothing
		}
		if asked.ResourceName != strconv.Itoa(int(NodeID)) {
			return nil, coded(errInvalidRequest, "there is no broker %q, only %d", asked.ResourceName, NodeID)
		}
		return settings.Broker(), nil
	}
	return nil, coded(errInvalidRequest, "resource type %d has no settings here", asked.ResourceType)
}

// configEntry is one setting as the request's version and wishes have it.
func (h *Handlers) configEntry(req *kmsg.DescribeConfigsRequest, kind kmsg.ConfigResourceType, v topics.Value) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value = v.Name, kmsg.StringPtr(v.Value)
	c.Source = kmsg.ConfigSource(v.Source)
	c.IsDefault = v.Source == topics.FromDefault
	c.ReadOnly = kind == kmsg.ConfigResourceTypeBroker
	c.ConfigType = kmsg.ConfigType(v.Kind)
	if req.IncludeDocumentation {
		c.Documentation = kmsg.StringPtr(v.Meaning)
	}
	if req.IncludeSynonyms {
		c.ConfigSynonyms = h.synonyms(v)
	}
	return c
}

// synonyms are the places a value is looked for, from the one that won on down.
func (h *Handlers) synonyms(v topics.Value) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	add := func(list []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym, name, value string, source topics.Source) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Value, s.Source = name, kmsg.StringPtr(value), kmsg.ConfigSource(source)
		return append(list, s)
	}
	name := v.Name
	if v.BrokerName != "" && v.Source != topics.FromTopic {
		name = v.BrokerName
	}
	list := add(nil, name, v.Value, v.Source)
	if v.Source == topics.FromTopic && v.BrokerName != "" {
		settings := h.cfg.Topics.Settings()
		list = add(list, v.BrokerName, settings.Text(v.BrokerName), settings.Source(v.BrokerName))
	}
	return list
}
