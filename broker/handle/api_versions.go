package handle

import (
	"context"

	"github.com/loghaul/loghaul/broker/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions (key 18): which requests and versions this broker serves.
//
// Versions 0 to 4. The response's header has no tags in any version, and a version that is not known is answered in
// the form of version 0 with UNSUPPORTED_VERSION and the range of this request alone, on a connection that stays
// (KIP-511): the client asks again with a version from that range.
func (h *Handlers) apiVersions(_ context.Context, r *Request) (kmsg.Response, error) {
	resp := r.Body.ResponseKind().(*kmsg.ApiVersionsResponse)
	for i := range table {
		resp.ApiKeys = append(resp.ApiKeys, apiKey(&table[i]))
	}
	return resp, nil
}

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
