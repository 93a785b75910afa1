package access

import (
	"encoding/json"
	"errors"
	"fmt"
)

// credentialsKey is the key of the credentials in the Secret.
const credentialsKey = "credentials"

// Types of credentials.
const (
	basicAuth = "basic_auth"
	apiKey    = "api_key"
)

// credentials are a user's or a service account's.
type credentials struct{ username, password, apiKey string }

// forms shows what is expected. Errors must not quote what was found, because that is secret.
const forms = `[{"type": "basic_auth", "data": {"prismCentral": {"username": "...", "password": "..."}}}] or ` +
	`[{"type": "api_key", "data": {"prismCentral": {"apiKey": "..."}}}]`

// parse reads the format of the vendor's controllers: a JSON list, of which the first entry counts.
func parse(content []byte) (credentials, error) {
	if len(content) == 0 {
		return credentials{}, errors.New("it is missing or empty: it must hold " + forms)
	}
	var entries []struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(content, &entries); err != nil {
		return credentials{}, fmt.Errorf("it is no JSON list of credentials%s: it must hold %s", place(err), forms)
	}
	if len(entries) == 0 {
		return credentials{}, errors.New("the list is empty: it must hold " + forms)
	}
	return parseData(entries[0].Type, entries[0].Data)
}

func parseData(kind string, content json.RawMessage) (credentials, error) {
	if kind != basicAuth && kind != apiKey {
		return credentials{}, errors.New("the type of the first entry is unknown: it must hold " + forms)
	}
	var data struct {
		PrismCentral struct {
			Username string `json:"username"`
			Password string `json:"password"`
			APIKey   string `json:"apiKey"`
		} `json:"prismCentral"`
	}
	if len(content) == 0 {
		content = json.RawMessage("{}")
	}
	if err := json.Unmarshal(content, &data); err != nil {
		return credentials{}, fmt.Errorf("the data of the first entry, of type %s, is wrong%s: it must hold %s", kind, place(err), forms)
	}
	prism := data.PrismCentral
	switch {
	case kind == apiKey && prism.APIKey == "":
		return credentials{}, errors.New("[0].data.prismCentral.apiKey is missing or empty")
	case kind == apiKey:
		return credentials{apiKey: prism.APIKey}, nil
	case prism.Username == "":
		return credentials{}, errors.New("[0].data.prismCentral.username is missing or empty")
	case prism.Password == "":
		return credentials{}, errors.New("[0].data.prismCentral.password is missing or empty")
	}
	return credentials{username: prism.Username, password: prism.Password}, nil
}

// place says where JSON is wrong, without the text of the error: that quotes the content.
func place(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf(" (the syntax is wrong at byte %d)", syntax.Offset)
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		return fmt.Sprintf(" (%s is of the wrong type)", mismatch.Field)
	}
	return ""
}
