package record

// SetTransactional marks one whole batch as part of its producer's transaction (KIP-98) and computes its
// checksum anew; the records stay as they are.
func SetTransactional(batch []byte) {
	batch[atAttributes+1] |= attrTransactional
	putCRC(batch)
}
