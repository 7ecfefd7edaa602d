package handle

// Kafka's error codes, as far as this broker answers them.
const (
	errUnknownServer              int16 = -1
	errNone                       int16 = 0
	errOffsetOutOfRange           int16 = 1
	errCorruptMessage             int16 = 2
	errUnknownTopicOrPartition    int16 = 3
	errRequestTimedOut            int16 = 7
	errMessageTooLarge            int16 = 10
	errOffsetMetadataTooLarge     int16 = 12
	errCoordinatorNotAvailable    int16 = 15
	errInvalidTopic               int16 = 17
	errRecordListTooLarge         int16 = 18
	errNotEnoughReplicas          int16 = 19
	errInvalidRequiredAcks        int16 = 21
	errIllegalGeneration          int16 = 22
	errInconsistentGroupProtocol  int16 = 23
	errInvalidGroupID             int16 = 24
	errUnknownMemberID            int16 = 25
	errInvalidSessionTimeout      int16 = 26
	errRebalanceInProgress        int16 = 27
	errInvalidCommitOffsetSize    int16 = 28
	errUnsupportedVersion         int16 = 35
	errTopicAlreadyExists         int16 = 36
	errInvalidPartitions          int16 = 37
	errInvalidReplicationFactor   int16 = 38
	errInvalidReplicaAssignment   int16 = 39
	errInvalidConfig              int16 = 40
	errInvalidRequest             int16 = 42
	errPolicyViolation            int16 = 44
	errOutOfOrderSequence         int16 = 45
	errInvalidProducerEpoch       int16 = 47
	errInvalidTxnState            int16 = 48
	errTransactionalIDAuthFailed  int16 = 53
	errStorage                    int16 = 56
	errTopicDeletionDisabled      int16 = 73
	errGroupIDNotFound            int16 = 69
	errFetchSessionNotFound       int16 = 70
	errFencedLeaderEpoch          int16 = 74
	errUnknownLeaderEpoch         int16 = 75
	errUnsupportedCompressionType int16 = 76
	errMemberIDRequired           int16 = 79
	errFencedInstanceID           int16 = 82
	errInvalidRecord              int16 = 87
	errUnknownTopicID             int16 = 100
)
