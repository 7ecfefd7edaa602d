package handle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/loghaul/loghaul/broker/acl"
	"github.com/loghaul/loghaul/broker/users"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterUserScramCredentials (key 51, v0): give users SCRAM credentials or take them away, durably, before the answer.
//
// Behaviour:
//   - Needs Alter on the cluster, else CLUSTER_AUTHORIZATION_FAILED for each user.
//   - The password never comes here: the client salts it. PLAIN logins are checked against the same credential.
//   - UNSUPPORTED_SASL_MECHANISM, UNACCEPTABLE_CREDENTIAL (name, salt, fewer than 4096 or more than 16384 iterations),
//     RESOURCE_NOT_FOUND (deleted and not there), DUPLICATE_RESOURCE (a user twice in one request, with whatever
//     mechanism, as Kafka has it). What is wrong with one user leaves it as it was; others are changed.
func (h *Handlers) alterUserSCRAMCredentials(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.AlterUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	changes, order := scramChanges(req)
	allowed := h.mayCluster(r.Peer, acl.Alter)
	for _, user := range order {
		answer := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		answer.User = user
		if !allowed {
			answer.ErrorCode, answer.ErrorMessage = errClusterAuthorizationFailed, kmsg.StringPtr("Cluster authorization failed.")
		} else if err := h.alterUser(changes[user]); err != nil {
			answer.ErrorCode, answer.ErrorMessage = scramError(err)
			h.log.Warn("refused to change a user", "user", shortened(user), r.Who(), "error", err)
		} else {
			h.log.Info("changed a user", "user", user, r.Who())
		}
		resp.Results = append(resp.Results, answer)
	}
	slices.SortStableFunc(resp.Results, func(a, b kmsg.AlterUserSCRAMCredentialsResponseResult) int { // what went wrong first
		return cmp.Compare(min(1, b.ErrorCode*b.ErrorCode), min(1, a.ErrorCode*a.ErrorCode))
	})
	return resp, nil
}

// scramChange is one part of the request.
type scramChange struct {
	users.Change
	err error
}

// scramChanges gathers the request by users, and lists these in the order of their coming.
func scramChanges(req *kmsg.AlterUserSCRAMCredentialsRequest) (map[string][]scramChange, []string) {
	changes := map[string][]scramChange{}
	var order []string
	add := func(user string, number int8, c *users.Credential, err error) {
		m, known := scramNumbers[number]
		switch {
		case user == "":
			err = coded(errUnacceptableCredential, "Username must not be empty")
		case !known:
			err = coded(errUnsupportedSASLMechanism, "Unknown SCRAM mechanism")
		}
		if len(changes[user]) == 0 {
			order = append(order, user)
		}
		if len(changes[user]) > 0 && changes[user][0].err == nil {
			err = coded(errDuplicateResource, "A user credential cannot be altered twice in the same request")
		}
		changes[user] = append(changes[user], scramChange{users.Change{User: user, Mechanism: m, New: c}, err})
	}
	for _, d := range req.Deletions {
		add(d.Name, d.Mechanism, nil, nil)
	}
	for _, u := range req.Upsertions {
		c, err := upsertion(u)
		add(u.Name, u.Mechanism, c, err)
	}
	return changes, order
}

// upsertion makes a credential of what the client salted.
func upsertion(u kmsg.AlterUserSCRAMCredentialsRequestUpsertion) (*users.Credential, error) {
	switch {
	case u.Iterations < users.MinIterations:
		return nil, coded(errUnacceptableCredential, "Too few iterations")
	case u.Iterations > users.MaxIterations:
		return nil, coded(errUnacceptableCredential, "Too many iterations")
	case len(u.Salt) == 0 || len(u.SaltedPassword) == 0:
		return nil, coded(errUnacceptableCredential, "The salt and the salted password must not be empty")
	}
	// The request's bytes end with the handler.
	c, err := users.FromSalted(scramNumbers[u.Mechanism], int(u.Iterations), append([]byte(nil), u.Salt...), u.SaltedPassword)
	if err != nil {
		return nil, coded(errUnacceptableCredential, "%v", err)
	}
	return &c, nil
}

// alterUser makes all changes of one user or none.
func (h *Handlers) alterUser(changes []scramChange) error {
	var all []users.Change
	for _, c := range changes {
		if c.err != nil {
			return c.err
		}
		if _, known := h.cfg.Users.Credential(c.User, c.Mechanism); c.New == nil && !known {
			return users.ErrNotFound
		}
		all = append(all, c.Change)
	}
	return h.cfg.Users.Alter(all...)
}

// scramError is Kafka's code for what went wrong.
func scramError(err error) (int16, *string) {
	var c *codedError
	switch {
	case errors.As(err, &c):
		return c.code, kmsg.StringPtr(c.message)
	case errors.Is(err, users.ErrNotFound):
		return errResourceNotFound, kmsg.StringPtr("Attempt to delete a user credential that does not exist")
	case errors.Is(err, users.ErrName):
		return errUnacceptableCredential, kmsg.StringPtr(users.ErrName.Error())
	}
	return errUnknownServer, kmsg.StringPtr(fmt.Sprintf("the users could not be kept: %v", err))
}
