package handle

import "github.com/loghaul/loghaul/broker/acl"

// may says whether the peer may do op to the resource of that kind and name; without access control everybody may.
func (h *Handlers) may(p Peer, op acl.Operation, kind acl.Resource, name string) bool {
	return h.cfg.Access == nil || h.cfg.Access.Allows(p.Principal, p.IP, op, kind, name)
}

// mayCluster is may for the cluster itself.
func (h *Handlers) mayCluster(p Peer, op acl.Operation) bool {
	return h.may(p, op, acl.Cluster, acl.ClusterName)
}

// shows is may for lists, from which what the peer may not see is only left out: a denial is not logged.
func (h *Handlers) shows(p Peer, op acl.Operation, kind acl.Resource, name string) bool {
	return h.cfg.Access == nil || h.cfg.Access.Shows(p.Principal, p.IP, op, kind, name)
}

// mayAny says whether there may be any resource of that kind to which the peer may do op.
func (h *Handlers) mayAny(p Peer, op acl.Operation, kind acl.Resource) bool {
	return h.cfg.Access == nil || h.cfg.Access.AllowsAny(p.Principal, p.IP, op, kind)
}

// authorizedOps are the operations that the peer may do to a resource, as bits by Kafka's numbers.
func (h *Handlers) authorizedOps(p Peer, kind acl.Resource, name string) int32 {
	var bits int32
	for _, op := range acl.Operations(kind) {
		if h.shows(p, op, kind, name) {
			bits |= 1 << op
		}
	}
	return bits
}
