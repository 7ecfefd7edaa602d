package handle

import (
	"context"
	"maps"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/quota"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeClientQuotas (key 48): what clients may move, by user, client id, both, or address.
//
// Versions 0 and 1. A component asks for an exact name (0), the default (1), or any (2) of a kind; with strict an entity
// may name no other kinds. No component asks for all.
//
// Version notes: 1 is flexible.
func (h *Handlers) describeClientQuotas(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.DescribeClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	err := checkQuotaFilter(req)
	if !h.mayCluster(r.Peer, acl.DescribeConfigs) {
		err = coded(errClusterAuthorizationFailed, "Cluster authorization failed.")
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp, nil
	}
	resp.ErrorMessage = new(string) // as Kafka has it
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	for _, rule := range h.cfg.Quotas.List() {
		if quotaMatches(req, rule.Entity) {
			resp.Entries = append(resp.Entries, quotaEntry(rule))
		}
	}
	return resp, nil
}

// checkQuotaFilter holds the components of a request against each other.
func checkQuotaFilter(req *kmsg.DescribeClientQuotasRequest) error {
	seen := map[string]bool{}
	for _, c := range req.Components {
		switch {
		case c.EntityType == "":
			return coded(errInvalidRequest, "Invalid empty entity type.")
		case seen[c.EntityType]:
			return coded(errInvalidRequest, "Entity type %s cannot appear more than once in the filter.", c.EntityType)
		case c.MatchType < 0 || c.MatchType > 2:
			return coded(errInvalidRequest, "Unknown match type %d", c.MatchType)
		case c.MatchType == 0 && c.Match == nil:
			return coded(errInvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
		case c.MatchType != 0 && c.Match != nil:
			return coded(errInvalidRequest, "A match string belongs to MATCH_TYPE_EXACT alone.")
		case partOf(&quota.Entity{}, c.EntityType) == nil:
			return coded(errUnsupportedVersion, "Unsupported entity type %s", c.EntityType)
		}
		seen[c.EntityType] = true
	}
	if seen["ip"] && len(seen) > 1 {
		return coded(errInvalidRequest, "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.")
	}
	return nil
}

// quotaMatches says whether a request asks for an entity.
func quotaMatches(req *kmsg.DescribeClientQuotasRequest, e quota.Entity) bool {
	asked := 0
	for _, c := range req.Components {
		part := partOf(&e, c.EntityType)
		if !part.Set || c.MatchType == 0 && (part.Name == "" || part.Name != *c.Match) || c.MatchType == 1 && part.Name != "" {
			return false
		}
		asked++
	}
	has := 0
	for _, part := range []quota.Part{e.User, e.Client, e.IP} {
		if part.Set {
			has++
		}
	}
	return !req.Strict || has == asked
}

func quotaEntry(rule quota.Rule) kmsg.DescribeClientQuotasResponseEntry {
	entry := kmsg.NewDescribeClientQuotasResponseEntry()
	for _, kind := range []string{"client-id", "ip", "user"} {
		part := partOf(&rule.Entity, kind)
		if !part.Set {
			continue
		}
		e := kmsg.NewDescribeClientQuotasResponseEntryEntity()
		if e.Type = kind; part.Name != "" {
			e.Name = &part.Name
		}
		entry.Entity = append(entry.Entity, e)
	}
	for _, key := range slices.Sorted(maps.Keys(rule.Values)) {
		v := kmsg.NewDescribeClientQuotasResponseEntryValue()
		v.Key, v.Value = string(key), rule.Values[key]
		entry.Values = append(entry.Values, v)
	}
	return entry
}
