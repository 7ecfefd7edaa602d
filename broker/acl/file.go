package acl

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/loghaul/loghaul/internal/disk"
	"github.com/loghaul/loghaul/internal/durable"
)

// File is the name of the rules' file in the folder of the configuration:
//
//	{"version": 1, "rules": [
//	  {"resource": "topic", "pattern": "literal", "name": "web_log", "principal": "User:alice", "host": "*",
//	   "operation": "Read", "permission": "allow"}
//	]}
const File = "acls.json"

const fileVersion = 1

type fileContent struct {
	Version int        `json:"version"`
	Rules   []fileRule `json:"rules"`
}

type fileRule struct {
	Resource   string `json:"resource"`
	Pattern    string `json:"pattern"`
	Name       string `json:"name"`
	Principal  string `json:"principal"`
	Host       string `json:"host"`
	Operation  string `json:"operation"`
	Permission string `json:"permission"`
}

// words are the names in the file, and in logs, by number.
var (
	operationWords = map[Operation]string{All: "All", Read: "Read", Write: "Write", Create: "Create", Delete: "Delete", Alter: "Alter", Describe: "Describe",
		ClusterAction: "ClusterAction", DescribeConfigs: "DescribeConfigs", AlterConfigs: "AlterConfigs", IdempotentWrite: "IdempotentWrite",
		CreateTokens: "CreateTokens", DescribeTokens: "DescribeTokens", TwoPhaseCommit: "TwoPhaseCommit"}
	resourceWords   = map[Resource]string{Topic: "topic", Group: "group", Cluster: "cluster", TransactionalID: "transactional-id", DelegationToken: "delegation-token", User: "user"}
	patternWords    = map[Pattern]string{Literal: "literal", Prefixed: "prefixed"}
	permissionWords = map[Permission]string{Allow: "allow", Deny: "deny"}
)

// String is Kafka's word for the operation.
func (o Operation) String() string { return operationWords[o] }

// String is a word for the kind of resource.
func (r Resource) String() string { return resourceWords[r] }

// number finds the key of a word; 0 is none.
func number[K ~int8](words map[K]string, word string) K {
	for k, w := range words {
		if strings.EqualFold(w, word) {
			return k
		}
	}
	return 0
}

// load reads the rules; no file means none.
func load(fsys disk.FS, dir string) ([]Rule, error) {
	path := filepath.Join(dir, File)
	data, err := disk.ReadFile(fsys, path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		data, err = durable.Unsign(data)
	}
	var f fileContent
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil && f.Version != fileVersion {
		err = fmt.Errorf("version %d is not known, only %d", f.Version, fileVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the rules of access control in %s: %w", path, err)
	}
	var rules []Rule
	for i, r := range f.Rules {
		rule := Rule{number(resourceWords, r.Resource), number(patternWords, r.Pattern), r.Name, r.Principal, r.Host,
			number(operationWords, r.Operation), number(permissionWords, r.Permission)}
		if err := rule.Check(); err != nil {
			return nil, fmt.Errorf("reading the rules of access control in %s: rule %d: %w", path, i+1, err)
		}
		rules = append(rules, rule)
	}
	sortRules(rules)
	return rules, nil
}

// save replaces the file; the rules are on the disk when it returns nil.
func save(fsys disk.FS, dir string, rules []Rule) error {
	f := fileContent{Version: fileVersion, Rules: []fileRule{}}
	for _, r := range rules {
		f.Rules = append(f.Rules, fileRule{resourceWords[r.Kind], patternWords[r.Pattern], r.Name, r.Principal, r.Host,
			operationWords[r.Operation], permissionWords[r.Permission]})
	}
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("keeping the rules of access control: %w", err)
	}
	if err := disk.MkdirAll(fsys, dir, 0o700); err != nil {
		return fmt.Errorf("keeping the rules of access control: %w", err)
	}
	// The folder may be new, and its name lies in the one above: without this a power cut could take it with all rules.
	if err := fsys.SyncDir(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("keeping the rules of access control: %w", err)
	}
	if err := durable.ReplaceOn(fsys, filepath.Join(dir, File), durable.Sign(append(data, '\n')), 0o600); err != nil {
		return fmt.Errorf("keeping the rules of access control: %w", err)
	}
	return nil
}
