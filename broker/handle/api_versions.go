package handle

import (
	"context"
	"regexp"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions (key 18): which requests and versions this broker serves.
//
// Versions 0 to 4. The response's header has no tags in any version, and a version that is not known is answered in
// the form of version 0 with UNSUPPORTED_VERSION and the range of this request alone, on a connection that stays
// (KIP-511): the client asks again with a version from that range.
//
// Version notes: 3 is flexible and brings the client's name and version, which must look like ones; 4 may name features from
// level 0 on.
func (h *Handlers) apiVersions(_ context.Context, r *Request) (kmsg.Response, error) {
	req := r.Body.(*kmsg.ApiVersionsRequest)
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 && !(softwareName.MatchString(req.ClientSoftwareName) && softwareName.MatchString(req.ClientSoftwareVersion)) {
		resp.ErrorCode = errInvalidRequest
		return resp, nil
	}
	for i := range table {
		resp.ApiKeys = append(resp.ApiKeys, apiKey(&table[i]))
	}
	return resp, nil
}

// softwareName is what a client's software and its version may be called (KIP-511).
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// unknownAPIVersions answers a version of ApiVersions that is not known; its body is not even read.
func unknownAPIVersions(header wire.Header) Reply {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(0)
	resp.ErrorCode = errUnsupportedVersion
	resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{apiKey(find(keyAPIVersions))}
	return encode(header, resp)
}

func apiKey(r *row) kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = r.key, r.min, r.max
	return k
}
