package users

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// The file of the users:
//
//	{
//	  "version": 1,
//	  "secret": "base64",                 makes up salts for names that are not there, so that they look like the others
//	  "users": {
//	    "alice": {
//	      "SCRAM-SHA-256": {"iterations": 8192, "salt": "base64", "stored_key": "base64", "server_key": "base64"}
//	    }
//	  }
//	}
//
// stored_key and server_key are those of RFC 5802: neither lets anybody log in, and the password is not in it.
const fileVersion = 1

type fileContent struct {
	Version int                                     `json:"version"`
	Secret  []byte                                  `json:"secret"`
	Users   map[string]map[Mechanism]fileCredential `json:"users"`
}

type fileCredential struct {
	Iterations int    `json:"iterations"`
	Salt       []byte `json:"salt"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
}

// decode reads the file's content.
func decode(data []byte) (map[string]map[Mechanism]Credential, []byte, error) {
	var f fileContent
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", lineOf(data, err), err)
	}
	if f.Version != fileVersion {
		return nil, nil, fmt.Errorf("version %d is not known, only %d", f.Version, fileVersion)
	}
	if len(f.Secret) < 16 {
		return nil, nil, fmt.Errorf("the secret has %d bytes, at least 16 are needed", len(f.Secret))
	}
	byName := map[string]map[Mechanism]Credential{}
	for name, credentials := range f.Users {
		byName[name] = map[Mechanism]Credential{}
		for m, c := range credentials {
			got := Credential{m, c.Iterations, c.Salt, c.StoredKey, c.ServerKey}
			if err := got.check(); err != nil {
				return nil, nil, fmt.Errorf("user %q: %w", name, err)
			}
			byName[name][m] = got
		}
	}
	return byName, f.Secret, nil
}

// lineOf is the line of the file that JSON stumbled at.
func lineOf(data []byte, err error) int {
	at := int64(len(data))
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = e.Offset
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = e.Offset
	}
	return 1 + bytes.Count(data[:min(at, int64(len(data)))], []byte("\n"))
}

// encode writes the file's content.
func encode(byName map[string]map[Mechanism]Credential, secret []byte) []byte {
	f := fileContent{Version: fileVersion, Secret: secret, Users: map[string]map[Mechanism]fileCredential{}}
	for name, credentials := range byName {
		f.Users[name] = map[Mechanism]fileCredential{}
		for m, c := range credentials {
			f.Users[name][m] = fileCredential{c.Iterations, c.Salt, c.StoredKey, c.ServerKey}
		}
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		panic("broker/users: " + err.Error()) // there is nothing in it that JSON cannot say
	}
	return append(data, '\n')
}
