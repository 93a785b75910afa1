package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Duration is a time.Duration that JSON writes as a string such as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as a string.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration from a string.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("reading duration: want a string such as 1m30s: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Refusal is the way in which a change is refused. If it is empty, the default of the rule applies.
type Refusal string

// The ways to refuse a change.
const (
	RefusedByTask    Refusal = "task"    // the request is accepted and its task fails
	RefusedByRequest Refusal = "request" // the response has a 4xx status
	NotRefused       Refusal = "none"    // the change is made
)

func (r Refusal) orElse(other Refusal) Refusal {
	if r == "" {
		return other
	}
	return r
}

// UnmarshalText refuses unknown values.
func (r *Refusal) UnmarshalText(text []byte) error {
	return oneOf(r, text, RefusedByTask, RefusedByRequest, NotRefused)
}

// oneOf reads a string that has to be empty or one of the allowed values.
func oneOf[T ~string](into *T, text []byte, allowed ...T) error {
	if len(text) > 0 && !slices.Contains(allowed, T(text)) {
		return fmt.Errorf("%q is not one of %q", text, allowed)
	}
	*into = T(text)
	return nil
}

// Rules choose between behaviours of a Prism Central. Some behaviours occur only at times. For others it is not on
// public record which one a real Prism Central has. The zero value is the default.
type Rules struct {
	// KeepCategoryValues lets a v3 update without use_categories_mapping keep the further values of a key if the one value that it
	// has is assigned. By default the VM has only that value after the update.
	KeepCategoryValues bool `json:"keepCategoryValues,omitempty"`
	// DeleteWithVolumeGroup is the way in which deleting a VM with an attached volume group is refused. Default:
	// RefusedByTask. NotRefused detaches the volume group.
	DeleteWithVolumeGroup Refusal `json:"deleteWithVolumeGroup,omitempty"`
	// DetachVolumeGroup is the way in which detaching a volume group is refused, by a v3 update or by detach-vm of
	// v4. Default: NotRefused.
	DetachVolumeGroup Refusal `json:"detachVolumeGroup,omitempty"`
	// AttachmentKeepsSpecVersion keeps the spec_version of a VM when a volume group is attached or detached other than by a v3
	// update.
	AttachmentKeepsSpecVersion bool `json:"attachmentKeepsSpecVersion,omitempty"`
	// AcceptLearned accepts IP endpoints of type LEARNED in a v3 update. By default such an update is refused with 422.
	AcceptLearned bool `json:"acceptLearned,omitempty"`
	// LearnedInSpec shows IP endpoints of type LEARNED in the spec of a VM. By default only its status has them.
	LearnedInSpec bool `json:"learnedInSpec,omitempty"`
	// PowerOffWhenOff is the way in which switching off a VM that is off is refused. It applies to v3 updates that
	// have OFF and change nothing, and to power-off of v4. Default: NotRefused.
	PowerOffWhenOff Refusal `json:"powerOffWhenOff,omitempty"`
	// DuplicateTaskEntities shows each entity of a task twice. UnknownTaskEntities shows an entity first that does not exist.
	DuplicateTaskEntities bool `json:"duplicateTaskEntities,omitempty"`
	UnknownTaskEntities   bool `json:"unknownTaskEntities,omitempty"`
	// NoVersionInfo lets OPTIONS of unversioned/info respond with 404.
	NoVersionInfo bool `json:"noVersionInfo,omitempty"`
	// ForgetRequestIDs ignores NTNX-Request-Id. RequestIDLife is how long an ID is remembered; 0 means as long as the server runs.
	ForgetRequestIDs bool     `json:"forgetRequestIDs,omitempty"`
	RequestIDLife    Duration `json:"requestIDLife,omitempty"`
	// LockoutAfter is the number of failed logins in a row after which an account is locked for LockoutFor. 0 means that accounts are
	// never locked. Sessions stay valid.
	LockoutAfter int      `json:"lockoutAfter,omitempty"`
	LockoutFor   Duration `json:"lockoutFor,omitempty"`
	// LockoutStatus is the status of responses to a locked account. Default: 401, as for a wrong password.
	LockoutStatus int `json:"lockoutStatus,omitempty"`
	// ListLag lets the lists of both APIs show the entities that existed so long ago. Entities that were created since are missing,
	// and entities that were deleted since are listed. Reading by UUID or name is not affected.
	ListLag Duration `json:"listLag,omitempty"`
	// ListLagKinds limits ListLag to some kinds: vm, image, category, task, volume_group, load_balancer_session,
	// floating_ip, route. Empty means all of them.
	ListLagKinds []string `json:"listLagKinds,omitempty"`
	// TotalOffset is added to the total of every list: total_matches in v3, totalAvailableResults in v4.
	TotalOffset int `json:"totalOffset,omitempty"`
}

// Lag returns the lag of lists of a kind.
func (r Rules) Lag(kind string) time.Duration {
	if len(r.ListLagKinds) > 0 && !slices.Contains(r.ListLagKinds, kind) {
		return 0
	}
	return time.Duration(r.ListLag)
}

// Total returns the total that a list shows.
func (r Rules) Total(count int) int { return max(0, count+r.TotalOffset) }

// ParseRules reads rules in JSON, for example {"listLag":"30s"}. It refuses unknown fields.
func ParseRules(text string) (Rules, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var rules Rules
	if err := decoder.Decode(&rules); err != nil {
		return Rules{}, fmt.Errorf("reading rules %q: %w", text, err)
	}
	return rules, nil
}
