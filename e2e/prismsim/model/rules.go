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

// MarshalText encodes the duration as a string.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText decodes the duration from a string.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("reading duration: want a string such as 1m30s: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Refusal determines how the server rejects a change. If it is empty, the default of the rule applies.
type Refusal string

// Supported values of Refusal.
const (
	RefusedByTask    Refusal = "task"    // the server accepts the request, but the task fails
	RefusedByRequest Refusal = "request" // the server responds with a 4xx status
	NotRefused       Refusal = "none"    // the server makes the change
)

func (r Refusal) orElse(other Refusal) Refusal {
	if r == "" {
		return other
	}
	return r
}

// UnmarshalText rejects unknown values.
func (r *Refusal) UnmarshalText(text []byte) error {
	return oneOf(r, text, RefusedByTask, RefusedByRequest, NotRefused)
}

// oneOf decodes a string that must be empty or one of the allowed values.
func oneOf[T ~string](into *T, text []byte, allowed ...T) error {
	if len(text) > 0 && !slices.Contains(allowed, T(text)) {
		return fmt.Errorf("%q is not one of %q", text, allowed)
	}
	*into = T(text)
	return nil
}

// Rules selects between possible behaviours of a Prism Central. Some behaviours occur only occasionally. For others, no
// public record shows how a real Prism Central behaves. The zero value selects the defaults.
type Rules struct {
	// KeepCategoryValues applies to v3 updates without use_categories_mapping. Such updates contain only one value for
	// each category key. If the VM already has that value, the VM also keeps its other values of the key. By default
	// the VM loses the other values.
	KeepCategoryValues bool `json:"keepCategoryValues,omitempty"`
	// DeleteWithVolumeGroup determines how the server rejects the deletion of a VM with an attached volume group. The
	// default is RefusedByTask. NotRefused detaches the volume group and deletes the VM.
	DeleteWithVolumeGroup Refusal `json:"deleteWithVolumeGroup,omitempty"`
	// DetachVolumeGroup determines how the server rejects a v3 update or a v4 detach-vm request that detaches a volume
	// group. The default is NotRefused.
	DetachVolumeGroup Refusal `json:"detachVolumeGroup,omitempty"`
	// AttachmentKeepsSpecVersion leaves the spec_version of a VM unchanged if a volume group is attached or detached
	// other than by a v3 update.
	AttachmentKeepsSpecVersion bool `json:"attachmentKeepsSpecVersion,omitempty"`
	// AcceptLearned accepts IP endpoints of type LEARNED in a v3 update. By default the server rejects such an update
	// with 422.
	AcceptLearned bool `json:"acceptLearned,omitempty"`
	// LearnedInSpec shows IP endpoints of type LEARNED in the spec of a VM. By default only the status contains them.
	LearnedInSpec bool `json:"learnedInSpec,omitempty"`
	// PowerOffWhenOff determines how the server rejects switching off a VM that is already off. It applies to v3
	// updates that set OFF and change nothing else, and to the v4 operation power-off. The default is NotRefused.
	PowerOffWhenOff Refusal `json:"powerOffWhenOff,omitempty"`
	// DuplicateTaskEntities shows each entity of a task twice. UnknownTaskEntities shows an entity that does not exist
	// as the first entity of a task.
	DuplicateTaskEntities bool `json:"duplicateTaskEntities,omitempty"`
	UnknownTaskEntities   bool `json:"unknownTaskEntities,omitempty"`
	// NoVersionInfo makes the server respond to OPTIONS requests for unversioned/info with 404.
	NoVersionInfo bool `json:"noVersionInfo,omitempty"`
	// ForgetRequestIDs ignores the NTNX-Request-Id header. RequestIDLife is the time for which a request ID is stored;
	// 0 means as long as the server runs.
	ForgetRequestIDs bool     `json:"forgetRequestIDs,omitempty"`
	RequestIDLife    Duration `json:"requestIDLife,omitempty"`
	// LockoutAfter is the number of consecutive failed logins that lock an account for the time LockoutFor. 0 means
	// that accounts are never locked. The sessions of a locked account stay valid.
	LockoutAfter int      `json:"lockoutAfter,omitempty"`
	LockoutFor   Duration `json:"lockoutFor,omitempty"`
	// LockoutStatus is the HTTP status of responses to a locked account. The default is 401, as for a wrong password.
	LockoutStatus int `json:"lockoutStatus,omitempty"`
	// InvalidReference determines how the server rejects a v4 request that creates a VM with a reference to an entity that
	// does not exist. The default is RefusedByTask.
	InvalidReference Refusal `json:"invalidReference,omitempty"`
	// LateTaskEntities makes a task that creates a VM name the VM only when the task has ended.
	LateTaskEntities bool `json:"lateTaskEntities,omitempty"`
	// ShowGuestCustomization makes the v4 API show the guest customization of a VM. By default only the CD-ROM with the
	// customization data is shown.
	ShowGuestCustomization bool `json:"showGuestCustomization,omitempty"`
	// ListLag makes lists of both APIs outdated by this duration. Lists omit entities that were created during the
	// duration, and still contain entities that were deleted during it. Requests for single entities, by UUID or name,
	// are not affected.
	ListLag Duration `json:"listLag,omitempty"`
	// ListLagKinds limits ListLag to some kinds: vm, image, category, task, volume_group, load_balancer_session,
	// floating_ip, route. If it is empty, ListLag applies to all of these kinds.
	ListLagKinds []string `json:"listLagKinds,omitempty"`
	// TotalOffset is added to the total of every list: total_matches in v3, totalAvailableResults in v4.
	TotalOffset int `json:"totalOffset,omitempty"`
}

// Lag returns the duration by which lists of entities of the kind are outdated, or zero if ListLag does not apply to
// the kind.
func (r Rules) Lag(kind string) time.Duration {
	if len(r.ListLagKinds) > 0 && !slices.Contains(r.ListLagKinds, kind) {
		return 0
	}
	return time.Duration(r.ListLag)
}

// Total returns the total in the metadata of a list with count entities.
func (r Rules) Total(count int) int { return max(0, count+r.TotalOffset) }

// ParseRules parses rules in JSON, for example {"listLag":"30s"}. It rejects unknown fields.
func ParseRules(text string) (Rules, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var rules Rules
	if err := decoder.Decode(&rules); err != nil {
		return Rules{}, fmt.Errorf("reading rules %q: %w", text, err)
	}
	return rules, nil
}
