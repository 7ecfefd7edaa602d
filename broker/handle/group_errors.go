package handle

import (
	"errors"
	"net"

	"github.com/loghaul/loghaul/broker/group"
)

// groupCodes says what each error of the groups' room is on the wire.
var groupCodes = []struct {
	err  error
	code int16
}{
	{group.ErrInvalidGroup, errInvalidGroupID},
	{group.ErrUnknownMember, errUnknownMemberID},
	{group.ErrIllegalGeneration, errIllegalGeneration},
	{group.ErrRebalancing, errRebalanceInProgress},
	{group.ErrMemberIDRequired, errMemberIDRequired},
	{group.ErrInconsistentProtocol, errInconsistentGroupProtocol},
	{group.ErrSessionTimeout, errInvalidSessionTimeout},
	{group.ErrFencedInstance, errFencedInstanceID},
	{group.ErrGroupFull, errGroupMaxSizeReached},
	{group.ErrNonEmpty, errNonEmptyGroup},
	{group.ErrNotFound, errGroupIDNotFound},
	{group.ErrMetadataTooLong, errOffsetMetadataTooLarge},
	{group.ErrNoRoom, errInvalidCommitOffsetSize},
	{group.ErrInvalidRequest, errInvalidRequest},
	{group.ErrFencedEpoch, errFencedMemberEpoch},
	{group.ErrStaleEpoch, errStaleMemberEpoch},
	{group.ErrUnreleasedInstance, errUnreleasedInstanceID},
	{group.ErrAssigner, errUnsupportedAssignor},
	{group.ErrPattern, errInvalidRegularExpression},
	{group.ErrOldVersion, errUnsupportedVersion},
	{group.ErrSubscribed, errGroupSubscribedToTopic},
	{group.ErrUnstable, errUnstableOffsetCommit},
	{group.ErrProducerFenced, errInvalidProducerEpoch},
	{group.ErrTxnEnding, errConcurrentTransactions},
	{group.ErrTooLarge, errUnknownServer},            // as Kafka: its clients give up instead of trying for ever
	{group.ErrStopped, errCoordinatorNotAvailable},   // clients come again, when the broker may be up
	{group.ErrNotStored, errCoordinatorNotAvailable}, // clients come again, when there may be room on the disk
	{errNoSuchPartition, errUnknownTopicOrPartition},
	{errTopicDenied, errTopicAuthorizationFailed},
	{errGroupDenied, errGroupAuthorizationFailed},
}

// errNoSuchPartition refuses a commit for a partition that this broker does not have.
var errNoSuchPartition = errors.New("no such partition")

// What access control refuses, among the errors of partitions and members.
var (
	errTopicDenied = errors.New("no access to the topic")
	errGroupDenied = errors.New("no access to the group")
)

// groupCode is the wire's code for an error of the groups' room, or none.
func groupCode(err error) int16 {
	if err == nil {
		return errNone
	}
	for _, c := range groupCodes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return errUnknownServer
}

// host is a client's address as Kafka writes it in groups: "/127.0.0.1".
func (r *Request) host() string {
	host, _, err := net.SplitHostPort(r.Remote)
	if err != nil {
		host = r.Remote
	}
	return "/" + host
}

// instance is a group.instance.id, empty for none.
func instance(id *string) group.InstanceID {
	if id == nil {
		return ""
	}
	return group.InstanceID(*id)
}

// instancePtr is the wire's form of a group.instance.id.
func instancePtr(id group.InstanceID) *string {
	if id == "" {
		return nil
	}
	s := string(id)
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
