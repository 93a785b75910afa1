package prismsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

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

// lag returns how far lists of a kind lag behind.
func (r Rules) lag(kind string) time.Duration {
	if len(r.ListLagKinds) > 0 && !slices.Contains(r.ListLagKinds, kind) {
		return 0
	}
	return time.Duration(r.ListLag)
}

// total returns the total that a list states.
func (r Rules) total(count int) int { return max(0, count+r.TotalOffset) }

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

// SetRules replaces the rules. What exists stays as it is.
func (c *control) SetRules(rules Rules) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	c.estate.rules = rules
}

// ChangeRules changes some of the rules.
func (c *control) ChangeRules(change func(*Rules)) {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	change(&c.estate.rules)
}

// Rules returns the rules in force.
func (c *control) Rules() Rules {
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	return c.estate.rules
}

func (c *control) rulesControl(handle func(pattern string, e endpoint)) {
	handle("GET /sim/rules", func(*http.Request) (int, any, error) { return http.StatusOK, c.Rules(), nil })
	handle("PUT /sim/rules", func(r *http.Request) (int, any, error) { return c.writeRules(r, Rules{}) })
	handle("PATCH /sim/rules", func(r *http.Request) (int, any, error) { return c.writeRules(r, c.Rules()) })
}

// writeRules sets the rules to base with the fields of the request's body changed.
func (c *control) writeRules(r *http.Request, base Rules) (int, any, error) {
	if err := readControl(r, &base); err != nil {
		return 0, nil, err
	}
	c.SetRules(base)
	return http.StatusOK, base, nil
}
