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

// Refusal says how a change that cannot be made is refused. An empty one is the default of the rule.
type Refusal string

// The ways to refuse a change.
const (
	RefusedByTask    Refusal = "task"    // the request is accepted and its task fails
	RefusedByRequest Refusal = "request" // the request is answered with a 4xx status
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

// oneOf reads a text that has to be one of the allowed ones, or empty.
func oneOf[T ~string](into *T, text []byte, allowed ...T) error {
	if len(text) > 0 && !slices.Contains(allowed, T(text)) {
		return fmt.Errorf("%q is not one of %q", text, allowed)
	}
	*into = T(text)
	return nil
}

// Rules switch behaviours that a real Prism Central has at times, or of which no public record says how it behaves. The zero
// value is the default. Server.SetRules, PUT /sim/rules and PATCH /sim/rules change the rules at run time.
type Rules struct {
	// KeepCategoryValues lets a v3 update without use_categories_mapping keep the further values of a key when the one value
	// that it names is assigned already. By default the update leaves the VM with that one value.
	KeepCategoryValues bool `json:"keepCategoryValues,omitempty"`
	// DeleteWithVolumeGroup says how the deletion of a VM with an attached volume group is refused. Default: by task. NotRefused
	// deletes the VM and detaches.
	DeleteWithVolumeGroup Refusal `json:"deleteWithVolumeGroup,omitempty"`
	// DetachVolumeGroup says how an update that removes a volume group from a VM, or detach-vm of v4, is refused. Default: not.
	DetachVolumeGroup Refusal `json:"detachVolumeGroup,omitempty"`
	// AttachmentKeepsSpecVersion leaves the spec_version of a VM as it is when a volume group is attached or detached in another
	// way than by a v3 update.
	AttachmentKeepsSpecVersion bool `json:"attachmentKeepsSpecVersion,omitempty"`
	// AcceptLearned accepts IP endpoints of type LEARNED in a v3 update. By default they are answered with 422.
	AcceptLearned bool `json:"acceptLearned,omitempty"`
	// LearnedInSpec shows IP endpoints of type LEARNED in the spec of a VM, too. By default only its status has them.
	LearnedInSpec bool `json:"learnedInSpec,omitempty"`
	// PowerOffWhenOff says how switching off a VM that is off is refused: a v3 update that says OFF and changes nothing, and
	// power-off of v4. Default: not.
	PowerOffWhenOff Refusal `json:"powerOffWhenOff,omitempty"`
	// DuplicateTaskEntities names each entity of a task twice. UnknownTaskEntities names one first that does not exist.
	DuplicateTaskEntities bool `json:"duplicateTaskEntities,omitempty"`
	UnknownTaskEntities   bool `json:"unknownTaskEntities,omitempty"`
	// NoVersionInfo answers OPTIONS of unversioned/info with 404.
	NoVersionInfo bool `json:"noVersionInfo,omitempty"`
	// ForgetRequestIDs treats every change of v4 as a new one, whatever its NTNX-Request-Id is. RequestIDLife is how long an ID is
	// remembered. 0: as long as the server runs.
	ForgetRequestIDs bool     `json:"forgetRequestIDs,omitempty"`
	RequestIDLife    Duration `json:"requestIDLife,omitempty"`
	// LockoutAfter is after how many failed logins in a row an account is locked for LockoutFor. 0: never. Sessions stay valid.
	LockoutAfter int      `json:"lockoutAfter,omitempty"`
	LockoutFor   Duration `json:"lockoutFor,omitempty"`
	// LockoutStatus answers requests of a locked account: 401 (default), as for a wrong password, or for example 403.
	LockoutStatus int `json:"lockoutStatus,omitempty"`
	// ListLag lets lists of both APIs show which entities there were so long ago: what was created since is missing, what was
	// deleted since is still there. Reading by UUID or name shows the present.
	ListLag Duration `json:"listLag,omitempty"`
	// ListLagKinds limits ListLag to some kinds: vm, image, category, task, volume_group, load_balancer_session,
	// floating_ip, route. Empty means all of them.
	ListLagKinds []string `json:"listLagKinds,omitempty"`
	// TotalOffset is added to the total of all lists: total_matches in v3, totalAvailableResults in v4.
	TotalOffset int `json:"totalOffset,omitempty"`
}

// Lag returns how far lists of a kind lag behind.
func (r Rules) Lag(kind string) time.Duration {
	if len(r.ListLagKinds) > 0 && !slices.Contains(r.ListLagKinds, kind) {
		return 0
	}
	return time.Duration(r.ListLag)
}

// Total returns the total that a list states.
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
