package group

import (
	"errors"

	"github.com/loghaul/loghaul/broker/statelog"
)

// What a request about a group can fail with. The handlers turn each into Kafka's code of that meaning.
var (
	// ErrInvalidGroup says that the group id is longer than MaxIDBytes, or empty where members are meant.
	ErrInvalidGroup = errors.New("group id is empty or too long")
	// ErrUnknownMember says that the group has no such member (any more): join again without an id.
	ErrUnknownMember = errors.New("no such member in this group")
	// ErrIllegalGeneration says that the request is of another generation than the group's.
	ErrIllegalGeneration = errors.New("not the group's generation")
	// ErrRebalancing says that the group is gathering its members: join again.
	ErrRebalancing = errors.New("the group is rebalancing")
	// ErrMemberIDRequired says that the member must join again with the id that came with this answer.
	ErrMemberIDRequired = errors.New("join again with the given member id")
	// ErrInconsistentProtocol says that the member has no protocol in common with the others.
	ErrInconsistentProtocol = errors.New("no protocol in common with the group's members")
	// ErrSessionTimeout says that the session timeout lies outside the configured limits.
	ErrSessionTimeout = errors.New("session timeout outside the limits")
	// ErrFencedInstance says that another member has taken over this group.instance.id (KIP-345).
	ErrFencedInstance = errors.New("another member has this group.instance.id now")
	// ErrGroupFull says that the group or all groups together have reached their limit of members or bytes.
	ErrGroupFull = errors.New("no room for another member")
	// ErrNonEmpty says that a group with members cannot be deleted.
	ErrNonEmpty = errors.New("the group has members")
	// ErrNotFound says that there is no such group.
	ErrNotFound = errors.New("no such group")
	// ErrMetadataTooLong says that a commit's metadata is longer than Config.MaxMetadata.
	ErrMetadataTooLong = errors.New("commit metadata too long")
	// ErrNoRoom says that the offsets of all groups together have reached Config.MaxOffsetBytes.
	ErrNoRoom = errors.New("no room for more committed offsets")
	// ErrTooLarge says that an assignment is larger than one record of the log may be.
	ErrTooLarge = errors.New("the assignment is too large to be stored")
	// ErrProducerFenced says that a newer producer has taken over the transactional id.
	ErrProducerFenced = statelog.ErrProducerFenced
	// ErrTxnEnding says that the producer's transaction is being ended: try again when it has.
	ErrTxnEnding = errors.New("the transaction is being ended")
	// ErrUnstable says that a transaction that has not ended may move this offset.
	ErrUnstable = errors.New("an open transaction may move this offset")
	// ErrInvalidRequest says that a consumer's heartbeat contradicts itself.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrFencedEpoch says that a consumer is not where the group knows it to be: join again, with nothing.
	ErrFencedEpoch = errors.New("fenced member epoch")
	// ErrStaleEpoch says that a consumer must learn its new epoch by a heartbeat first.
	ErrStaleEpoch = errors.New("stale member epoch")
	// ErrUnreleasedInstance says that another member has this group.instance.id and has not left.
	ErrUnreleasedInstance = errors.New("group.instance.id is in use")
	// ErrAssigner says that the broker has no such assigner.
	ErrAssigner = errors.New("unsupported assigner")
	// ErrPattern says that a consumer's regular expression cannot be read.
	ErrPattern = errors.New("invalid regular expression")
	// ErrOldVersion says that a member of a consumer group speaks with words of before KIP-848.
	ErrOldVersion = errors.New("members of a consumer group must use OffsetCommit version 9 or above")
	// ErrSubscribed says that members read the topic whose offsets were to be deleted.
	ErrSubscribed = errors.New("the group's members subscribe to the topic")
	// ErrStopped says that the broker is going down: come back when it is up again.
	ErrStopped = statelog.ErrStopped
	// ErrNotStored says that the state could not be made durable because the disk is full or has failed.
	ErrNotStored = statelog.ErrNotStored
)
