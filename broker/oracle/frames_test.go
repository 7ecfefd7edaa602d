package oracle_test

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	about(18,
		script{name: "a client's name", play: func(s *session) {
			for _, name := range []string{"franz-go", "", "bad name", "ü", "-x"} {
				req := kmsg.NewPtrApiVersionsRequest()
				req.ClientSoftwareName, req.ClientSoftwareVersion, req.Version = name, "1.0", s.version
				resp, err := s.connected().ask(req)
				if err != nil {
					s.hangUp()
					s.say("%q: %v", name, err)
					continue
				}
				v := resp.(*kmsg.ApiVersionsResponse)
				s.say("%q: error %d, any keys: %v", name, v.ErrorCode, len(v.ApiKeys) > 0)
			}
		}},
		script{name: "versions that are not there", play: func(s *session) {
			if s.version > 0 {
				return
			}
			s.raw("ApiVersions 99", 18, 99, true, nil)
			s.raw("ApiVersions -1", 18, -1, false, nil)
			s.raw("Metadata 99", 3, 99, true, nil)
			s.raw("Fetch 99", 1, 99, true, nil)
			s.raw("a key that is none", 999, 0, false, nil)
			s.raw("a negative key", -7, 0, false, nil)
			s.raw("a key between brokers", 6, 0, false, nil)
			s.raw("Metadata 4 without a body", 3, 4, false, nil)
			s.raw("Metadata 4 with a count of -2", 3, 4, false, []byte{0xff, 0xff, 0xff, 0xfe, 0})
			s.raw("Metadata 4 with a huge count", 3, 4, false, []byte{0x7f, 0xff, 0xff, 0xff, 0})
			s.raw("Metadata 4 with a long name", 3, 4, false, []byte{0, 0, 0, 1, 0x7f, 0xff, 'a', 0})
			s.raw("Metadata 4 cut", 3, 4, false, []byte{0, 0, 0, 1, 0, 5, 'a'})
			s.raw("Metadata 9 with a bad varint", 3, 9, true, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			s.raw("Produce 7 cut", 0, 7, false, []byte{0xff, 0xff, 0xff, 0xff, 0, 0})
			s.raw("Fetch 11 cut", 1, 11, false, []byte{0xff, 0xff, 0xff, 0xff, 0, 0})
		}},
		script{name: "frames that are none", play: func(s *session) {
			if s.version > 0 {
				return
			}
			for _, b := range [][]byte{
				[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
				{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
				binary.BigEndian.AppendUint32(nil, 0xffffffff),
				binary.BigEndian.AppendUint32(nil, 0x7fffffff),
				{0, 0, 0, 2, 0, 3},
			} {
				if _, err := s.connected().Write(b); err != nil {
					s.Fatal(err)
				}
				_, err := s.connected().receive()
				s.say("%q: %v", b, err)
				s.hangUp()
			}
		}},
	)
}

// raw sends a body as it is and tells whether there was an answer.
func (s *session) raw(what string, key, version int16, flexible bool, body []byte) {
	s.Helper()
	if err := s.connected().send(key, version, flexible, body); err != nil {
		s.hangUp()
		s.say("%s: %v", what, err)
		return
	}
	answer, err := s.connected().receive()
	if err != nil {
		s.hangUp()
		s.say("%s: %v", what, err)
		return
	}
	if key == 18 {
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := resp.ReadFrom(answer); err != nil {
			s.say("%s: not in the form of version 0: %v", what, err)
			return
		}
		s.say("%s: error %d, %d keys", what, resp.ErrorCode, len(resp.ApiKeys))
		return
	}
	s.say("%s: answered", what)
}
