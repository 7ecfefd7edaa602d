package handle

import (
	"context"
	"errors"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterClientQuotas (key 49): set and remove what clients may move, by user, client id, both, or address.
//
// Versions 0 and 1. A name that is null stands for all who have no quota of their own. Rates of bytes and of
// connections have an effect; request_percentage and controller_mutation_rate are kept and change nothing. Each entry
// changes as a whole or not at all, durably and with effect at once. What is not changed within 30 s is REQUEST_TIMED_OUT.
//
// Version notes: 1 is flexible.
func (h *Handlers) alterClientQuotas(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.AlterClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	turn := h.spell(changeTime)
	allowed := h.mayCluster(r.Peer, acl.AlterConfigs)
	for i := range req.Entries {
		entry := &req.Entries[i]
		answer := kmsg.NewAlterClientQuotasResponseEntry()
		for _, part := range entry.Entity {
			e := kmsg.NewAlterClientQuotasResponseEntryEntity()
			e.Type, e.Name = part.Type, part.Name
			answer.Entity = append(answer.Entity, e)
		}
		err := coded(errClusterAuthorizationFailed, "Cluster authorization failed.")
		if allowed {
			err = turn.late()
		}
		if err == nil {
			err = h.alterQuota(entry, req.ValidateOnly, r)
		}
		answer.ErrorCode, answer.ErrorMessage = quotaError(err)
		resp.Entries = append(resp.Entries, answer)
	}
	return resp, nil
}

// alterQuota changes the quotas of one entity.
func (h *Handlers) alterQuota(entry *kmsg.AlterClientQuotasRequestEntry, validate bool, r *Request) error {
	var entity quota.Entity
	for _, part := range entry.Entity {
		place := partOf(&entity, part.Type)
		switch {
		case place == nil:
			return coded(errInvalidRequest, "Unhandled client quota entity type: %s", part.Type)
		case part.Name == nil:
			*place = quota.Default
		case *part.Name == "":
			return coded(errInvalidRequest, "Empty %s not supported", part.Type)
		default:
			*place = quota.Named(*part.Name)
		}
	}
	var changes []quota.Change
	var keys []string
	for _, op := range entry.Ops {
		if slices.Contains(keys, op.Key) {
			return coded(errInvalidRequest, "Duplicate quota key %s", op.Key)
		}
		keys = append(keys, op.Key)
		changes = append(changes, quota.Change{Key: quota.Key(op.Key), Value: op.Value, Remove: op.Remove})
	}
	if err := h.cfg.Quotas.Alter(entity, changes, validate); err != nil {
		return err
	}
	if !validate {
		h.log.Info("client quotas changed by a client", "user", entity.User.Name, "client", entity.Client.Name, "ip", entity.IP.Name, "quotas", keys, r.Who())
	}
	return nil
}

// partOf is where a kind of entity, by Kafka's word, stands in one; nil when Kafka has no such kind.
func partOf(e *quota.Entity, kind string) *quota.Part {
	switch kind {
	case "user":
		return &e.User
	case "client-id":
		return &e.Client
	case "ip":
		return &e.IP
	}
	return nil
}

// quotaError is the code and the sentence for what went wrong with a quota. What is left is the disk.
func quotaError(err error) (int16, *string) {
	if errors.Is(err, quota.ErrInvalid) {
		message := err.Error()
		return errInvalidRequest, &message
	}
	return topicError(err)
}
