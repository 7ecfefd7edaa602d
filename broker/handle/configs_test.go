package handle

import (
	"errors"
	"maps"
	"testing"

	"github.com/loghaul/loghaul/broker/quota"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestListsGrowAndShrink(t *testing.T) {
	for _, c := range []struct {
		now   string
		op    configOp
		value string
		want  string
	}{
		{"delete", opAppend, "compact", "delete,compact"},
		{"delete", opAppend, "delete", "delete"},
		{"", opAppend, "compact", "compact"},
		{"a", opAppend, "b,c,a", "a,b,c"},
		{"delete,compact", opSubtract, "delete", "compact"},
		{"delete", opSubtract, "compact", "delete"},
		{"delete", opSubtract, "delete", ""},
	} {
		if got := changeList(c.now, c.value, c.op); got != c.want {
			t.Errorf("%q with operation %d of %q is %q, want %q", c.now, c.op, c.value, got, c.want)
		}
	}
}

func TestChangesOfOneResource(t *testing.T) {
	text := func(s string) *string { return &s }
	lists := func(name string) (bool, bool) { return true, name == "list" }
	base := func(name string) string { return map[string]string{"list": "x"}[name] }
	for what, c := range map[string]struct {
		resource configResource
		want     map[string]string
		code     int16
	}{
		"set and delete": {configResource{changes: []configChange{{"a", opSet, text("2")}, {"b", opDelete, nil}}}, map[string]string{"a": "2", "c": "1"}, 0},
		"replace":        {configResource{replace: true, changes: []configChange{{"a", opSet, text("2")}}}, map[string]string{"a": "2"}, 0},
		"a list grows from what it is without": {configResource{changes: []configChange{{"list", opAppend, text("y")}}},
			map[string]string{"a": "1", "b": "1", "c": "1", "list": "x,y"}, 0},
		"append to a number": {configResource{changes: []configChange{{"a", opAppend, text("2")}}}, nil, errInvalidConfig},
		"one name twice":     {configResource{changes: []configChange{{"a", opSet, text("2")}, {"a", opDelete, nil}}}, nil, errInvalidRequest},
		"no value":           {configResource{changes: []configChange{{"a", opSet, nil}}}, nil, errInvalidRequest},
		"no such operation":  {configResource{changes: []configChange{{"a", 9, text("2")}}}, nil, errInvalidRequest},
	} {
		own := map[string]string{"a": "1", "b": "1", "c": "1"}
		err := c.resource.check()
		if err == nil {
			err = c.resource.apply(own, lists, base)
		}
		if coded, ok := errors.AsType[*codedError](err); ok != (c.code != 0) || ok && coded.code != c.code {
			t.Errorf("%s: %v, want code %d", what, err, c.code)
		}
		if c.want != nil && !maps.Equal(own, c.want) {
			t.Errorf("%s: %v, want %v", what, own, c.want)
		}
	}
}

func TestQuotasAreFoundByTheirEntities(t *testing.T) {
	user := func(name string) quota.Entity { return quota.Entity{User: quota.Named(name)} }
	both := quota.Entity{User: quota.Named("u"), Client: quota.Default}
	component := func(kind string, match kmsg.QuotasMatchType, name *string) kmsg.DescribeClientQuotasRequestComponent {
		return kmsg.DescribeClientQuotasRequestComponent{EntityType: kind, MatchType: match, Match: name}
	}
	u := "u"
	for _, c := range []struct {
		asked  []kmsg.DescribeClientQuotasRequestComponent
		strict bool
		entity quota.Entity
		want   bool
	}{
		{nil, false, both, true},
		{nil, true, both, false},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 0, &u)}, false, both, true},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 0, &u)}, true, both, false},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 0, &u)}, true, user("u"), true},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 0, &u)}, true, user("v"), false},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 1, nil)}, false, user("v"), false},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("client-id", 1, nil)}, false, both, true},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("user", 2, nil), component("client-id", 2, nil)}, true, both, true},
		{[]kmsg.DescribeClientQuotasRequestComponent{component("ip", 2, nil)}, false, both, false},
	} {
		req := &kmsg.DescribeClientQuotasRequest{Components: c.asked, Strict: c.strict}
		if err := checkQuotaFilter(req); err != nil {
			t.Errorf("%+v: %v", c.asked, err)
		}
		if got := quotaMatches(req, c.entity); got != c.want {
			t.Errorf("%+v (strict %v) finds %+v: %v, want %v", c.asked, c.strict, c.entity, got, c.want)
		}
	}
	for _, bad := range [][]kmsg.DescribeClientQuotasRequestComponent{
		{component("user", 0, nil)}, {component("user", 2, &u)}, {component("user", 7, nil)}, {component("", 2, nil)}, {component("group", 2, nil)},
		{component("user", 2, nil), component("user", 2, nil)}, {component("user", 2, nil), component("ip", 2, nil)},
	} {
		if err := checkQuotaFilter(&kmsg.DescribeClientQuotasRequest{Components: bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
