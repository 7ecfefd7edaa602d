package record

import "encoding/binary"

// SetMarker turns one whole batch into a control batch that belongs to a
// transaction, and computes its checksum anew; the records stay as they are.
func SetMarker(batch []byte) {
	attributes := binary.BigEndian.Uint16(batch[atAttributes:])
	binary.BigEndian.PutUint16(batch[atAttributes:], attributes|attrTransactional|attrControl)
	putCRC(batch)
}
