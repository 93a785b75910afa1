package prism

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Credentials contains the credentials of an account in Prism Central: either Username and Password, or APIKey.
type Credentials struct {
	Username, Password, APIKey string
}

// String returns a fixed text, so that logs do not contain the credentials.
func (c Credentials) String() string { return "credentials (redacted)" }

// GoString returns the same text as String.
func (c Credentials) GoString() string { return c.String() }

const (
	typeBasicAuth = "basic_auth"
	typeAPIKey    = "api_key"
)

// ParseCredentials parses the value of the key "credentials" in a credential Secret. The value is a JSON array whose first entry has one
// of these formats:
//
//	{"type":"basic_auth","data":{"prismCentral":{"username":"...","password":"..."}}}
//	{"type":"api_key","data":{"prismCentral":{"apiKey":"..."}}}
//
// Other entries and "prismElements" are ignored. Errors do not quote the content.
func ParseCredentials(data []byte) (Credentials, error) {
	var entries []struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		return Credentials{}, fmt.Errorf("it is not a JSON array of credentials (%s)", redact(err))
	}
	if len(entries) == 0 {
		return Credentials{}, errors.New("the JSON array is empty")
	}
	entry := entries[0]
	if entry.Type != typeBasicAuth && entry.Type != typeAPIKey {
		return Credentials{}, fmt.Errorf("the type of its first entry must be %q or %q", typeBasicAuth, typeAPIKey)
	}
	var content struct {
		PrismCentral struct {
			Username string `json:"username"`
			Password string `json:"password"`
			APIKey   string `json:"apiKey"`
		} `json:"prismCentral"`
	}
	if len(entry.Data) == 0 {
		return Credentials{}, errors.New("data of its first entry is missing")
	}
	if err := json.Unmarshal(entry.Data, &content); err != nil {
		return Credentials{}, fmt.Errorf("data of its first entry cannot be read (%s)", redact(err))
	}
	central := content.PrismCentral
	if entry.Type == typeAPIKey {
		if central.APIKey == "" {
			return Credentials{}, errors.New("data.prismCentral.apiKey of its first entry is empty")
		}
		return Credentials{APIKey: central.APIKey}, nil
	}
	if central.Username == "" || central.Password == "" {
		return Credentials{}, errors.New("data.prismCentral.username or data.prismCentral.password of its first entry is empty")
	}
	return Credentials{Username: central.Username, Password: central.Password}, nil
}

// redact returns only the position of a JSON error, because the text of the error quotes the content.
func redact(err error) string {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("invalid at byte %d", syntax.Offset)
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return fmt.Sprintf("%s is not of type %s", mismatch.Field, mismatch.Type)
	case errors.As(err, &mismatch):
		return fmt.Sprintf("not of type %s", mismatch.Type.Kind())
	}
	return "unreadable"
}
