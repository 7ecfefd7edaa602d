package oracle_test

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// notCompared are the fields that may differ between two brokers, by name: of them it is only said whether they are
// there. Everything else in an answer must be equal, except the order within lists.
var notCompared = map[string]string{
	"ThrottleMillis":          "", // "": not even that
	"UnknownTags":             "",
	"Host":                    "<host>",
	"Port":                    "<port>",
	"Rack":                    "",
	"ClusterID":               "<id>",
	"TopicID":                 "<id>",
	"MemberID":                "<member>",
	"LeaderID":                "<member>", // the member that leads a group
	"ProducerID":              "<pid>",
	"ErrorMessage":            "", // this broker has its own words, also where Kafka has none
	"Message":                 "",
	"StatusMessage":           "",
	"LeaderEpoch":             "<epoch>", // counts the starts of this broker
	"OffsetLeaderEpoch":       "<epoch>",
	"CurrentLeaderEpoch":      "<epoch>",
	"Dir":                     "<dir>",
	"LogDir":                  "<dir>",
	"TotalBytes":              "<bytes>",
	"UsableBytes":             "<bytes>",
	"LastTimestamp":           "<time>", // of a producer: here when it came
	"StartTimestamp":          "<time>",
	"Documentation":           "<words>",
	"FinalizedFeaturesEpoch":  "<epoch>",
	"HeartbeatIntervalMillis": "<millis>",
}

// recently is when a time was not chosen by a script.
const recently = 1_700_000_000_000

// render shows an answer: fields that are zero, empty or as they are when a version has none of them are left out.
func (s *session) render(v reflect.Value, name string) string {
	if mask, masked := notCompared[name]; masked {
		return s.masked(v, mask)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return s.render(v.Elem(), name)
	case reflect.Struct:
		return s.renderStruct(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return s.renderBytes(v.Bytes(), name)
		}
		return s.renderList(v, name)
	case reflect.String:
		return quoted(s.plain(v.String()))
	case reflect.Bool:
		return zeroless(v, "true")
	case reflect.Float32, reflect.Float64:
		return zeroless(v, strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.Array:
		return zeroless(v, "<id>")
	}
	n := v.Int()
	switch {
	case name == "ErrorCode" && n != 0:
		if err, ok := kerr.ErrorForCode(int16(n)).(*kerr.Error); ok {
			return err.Message
		}
		return fmt.Sprint("error ", n)
	case name == "AuthorizedOperations" && n == math.MinInt32:
		return "" // not asked for
	case n >= recently && strings.Contains(name, "Time"):
		return "<time>"
	}
	return zeroless(v, strconv.FormatInt(n, 10))
}

func zeroless(v reflect.Value, text string) string {
	if v.IsZero() {
		return ""
	}
	return text
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return strconv.Quote(text)
}

// masked says of a field that it is there, in words that tell nothing else.
func (s *session) masked(v reflect.Value, mask string) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if v.CanInt() && v.Int() == -1 && mask != "" {
		return "-1"
	}
	if v.Kind() == reflect.String && v.String() == "*" {
		return "*" // of access control
	}
	if v.CanInt() && mask == "<epoch>" || v.CanInt() && mask == "<pid>" {
		return mask // 0 is one too
	}
	if v.IsZero() {
		return ""
	}
	return mask
}

func (s *session) renderStruct(v reflect.Value) string {
	var fields []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "Version" {
			continue
		}
		if text := s.render(v.Field(i), f.Name); text != "" {
			fields = append(fields, f.Name+":"+text)
		}
	}
	return "{" + strings.Join(fields, " ") + "}"
}

// renderList shows the elements in an order of their own: what order an answer has is left to the broker.
func (s *session) renderList(v reflect.Value, name string) string {
	var all []string
	for i := range v.Len() {
		text := s.render(v.Index(i), "")
		if text == "" { // a zero in a list counts
			text = fmt.Sprint(v.Index(i).Interface())
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return ""
	}
	if v.Type().Elem().Kind() == reflect.Struct {
		slices.Sort(all)
	}
	return "[" + strings.Join(all, " ") + "]"
}

func (s *session) renderBytes(b []byte, name string) string {
	if len(b) == 0 {
		return ""
	}
	if name == "RecordBatches" {
		return s.renderRecords(b)
	}
	return strconv.Quote(s.plain(string(b)))
}

// longRun is a name or a value that is only there for its length.
var longRun = regexp.MustCompile("n{50,}|x{50,}|m{50,}")

// plain takes the names of this run of a script out of a text.
func (s *session) plain(text string) string {
	for id, word := range s.words {
		text = strings.ReplaceAll(text, id, word)
	}
	text = strings.ReplaceAll(text, s.prefix, "")
	return longRun.ReplaceAllStringFunc(text, func(run string) string { return fmt.Sprintf("<%d letters>", len(run)) })
}
