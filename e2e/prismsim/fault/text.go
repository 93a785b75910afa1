package fault

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// plainFault has the fields of Fault without its methods.
type plainFault Fault

// faultJSON contains durations as strings such as "1m30s". Its fields hide the fields of plainFault with the same
// names.
type faultJSON struct {
	plainFault
	For        string `json:"for,omitempty"`
	Delay      string `json:"delay,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty"`
	Hold       string `json:"hold,omitempty"`
	DelayReply string `json:"delayReply,omitempty"`
}

// MarshalJSON encodes durations as strings.
func (fault Fault) MarshalJSON() ([]byte, error) {
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	return json.Marshal(faultJSON{
		plainFault(fault), text(fault.For), text(fault.Delay), text(fault.RetryAfter), text(fault.Hold), text(fault.DelayReply),
	})
}

// UnmarshalJSON decodes durations from strings and rejects unknown fields.
func (fault *Fault) UnmarshalJSON(raw []byte) error {
	var in faultJSON
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return err
	}
	*fault = Fault(in.plainFault)
	for _, field := range []struct {
		name, text string
		into       *time.Duration
	}{
		{"for", in.For, &fault.For},
		{"delay", in.Delay, &fault.Delay},
		{"retryAfter", in.RetryAfter, &fault.RetryAfter},
		{"hold", in.Hold, &fault.Hold},
		{"delayReply", in.DelayReply, &fault.DelayReply},
	} {
		if field.text == "" {
			continue
		}
		d, err := time.ParseDuration(field.text)
		if err != nil {
			return fmt.Errorf("reading %s: want a duration such as 1m30s: %w", field.name, err)
		}
		*field.into = d
	}
	return nil
}

// Parse parses a fault in the format of the command line: METHOD PATH-REGEXP key[=value] ..., for example "POST /vms$
// status=503 times=3", "* . delay=2s for=1m", "GET /tasks/ dropReply". The method * matches all methods. The keys are
// the JSON names of the fields of Fault. A value that contains spaces (taskError, body) must come last.
func Parse(text string) (Fault, error) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return Fault{}, fmt.Errorf("reading fault %q: want METHOD PATH-REGEXP key[=value] ..., for example \"POST /vms$ status=503 times=3\"", text)
	}
	document := map[string]any{"path": fields[1]}
	if fields[0] != "*" {
		document["method"] = fields[0]
	}
	rest := fields[2:]
	for i, field := range rest {
		key, value, assigned := strings.Cut(field, "=")
		switch {
		case !assigned:
			document[key] = true
		case key == "taskError" || key == "body":
			document[key] = strings.Join(append([]string{value}, rest[i+1:]...), " ")
		default:
			document[key] = scalar(value)
		}
		if key == "taskError" || key == "body" {
			break
		}
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return Fault{}, fmt.Errorf("reading fault %q: %w", text, err)
	}
	var fault Fault
	if err := json.Unmarshal(raw, &fault); err != nil {
		return Fault{}, fmt.Errorf("reading fault %q: %w", text, err)
	}
	return fault, nil
}

// scalar returns an integer if text is an integer, and text itself otherwise.
func scalar(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return text
}
