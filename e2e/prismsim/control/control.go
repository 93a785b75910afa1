// Package control inspects and changes a simulated Prism Central without using its API. It simulates operators, other
// programs and failures. It provides a Go API and, below /sim/, an HTTP API.
package control

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/capnt/capnt/e2e/prismsim/auth"
	"github.com/capnt/capnt/e2e/prismsim/fault"
	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/journal"
	"github.com/capnt/capnt/e2e/prismsim/model"
	"github.com/capnt/capnt/e2e/prismsim/networking"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// Control inspects and changes a simulated Prism Central without using its API. It simulates operators, other programs
// and failures.
type Control struct {
	*networking.Control
	central *model.Central
	faults  *fault.Faults
	journal *journal.Journal
	auth    *auth.Authenticator
}

// New returns the Control of the Prism Central e.
func New(e *model.Central, network *networking.API, faults *fault.Faults, requests *journal.Journal, accounts *auth.Authenticator) *Control {
	return &Control{Control: networking.NewControl(network), central: e, faults: faults, journal: requests, auth: accounts}
}

// DisconnectPrismElement disconnects the Prism Element with the name from Prism Central. The VMs of the Prism Element
// keep running.
func (c *Control) DisconnectPrismElement(name string, how model.Disconnection) error {
	if how.Status != 0 && how.Status != http.StatusOK && (how.Status < 400 || how.Status > 599) {
		return fmt.Errorf("disconnecting Prism Element %q: status %d is neither 200 nor between 400 and 599", name, how.Status)
	}
	return c.changeConnection(name, &how)
}

// ReconnectPrismElement connects the Prism Element with the name to Prism Central again.
func (c *Control) ReconnectPrismElement(name string) error { return c.changeConnection(name, nil) }

func (c *Control) changeConnection(name string, how *model.Disconnection) error {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	pe := c.central.PrismElementByName(name)
	if pe == nil {
		return wire.NotFound("cluster", "The cluster "+name)
	}
	if c.central.Disconnected == nil {
		c.central.Disconnected = map[*inventory.PrismElement]model.Disconnection{}
	}
	delete(c.central.Disconnected, pe)
	if how != nil {
		c.central.Disconnected[pe] = *how
	}
	return nil
}

// SetPassword changes the password of the account in Options.Username and ends its sessions.
func (c *Control) SetPassword(password string) { c.auth.SetAccount(c.central.Username, password) }

// SetAccount adds an account, or changes the password of an existing account and ends the sessions of that account.
func (c *Control) SetAccount(name, password string) { c.auth.SetAccount(name, password) }

// Faults returns the fault settings. Tests use them to set and clear faults.
func (c *Control) Faults() *fault.Faults { return c.faults }

// AgeVMs makes all VMs count as older than any list lag, so that lagging lists show them.
func (c *Control) AgeVMs() {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	c.central.VMs.Predate()
}

// Username returns the name of the account in Options.Username.
func (c *Control) Username() string { return c.central.Username }

// Requests returns the journal of API requests, oldest first. The journal contains no requests to /sim/.
func (c *Control) Requests() []journal.Request { return c.journal.List() }

// RecordBodies turns the recording of redacted request bodies on or off.
func (c *Control) RecordBodies(on bool) { c.journal.Bodies.Store(on) }

// SetRights replaces the rights of an account. The account need not exist yet. The API key in Options.APIKey belongs to
// the account "api-key".
func (c *Control) SetRights(account string, rights model.Rights) error {
	if !slices.Contains([]int{0, http.StatusNotFound, http.StatusForbidden}, rights.Status) {
		return fmt.Errorf("setting rights of account %q: status %d is neither 404 nor 403", account, rights.Status)
	}
	rights.Hidden = slices.Clone(rights.Hidden)
	for i, id := range rights.Hidden {
		rights.Hidden[i] = strings.ToLower(id)
	}
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	if c.central.Rights == nil {
		c.central.Rights = map[string]model.Rights{}
	}
	c.central.Rights[account] = rights
	return nil
}

// Tasks returns all tasks, oldest first.
func (c *Control) Tasks() []model.TaskView {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	out := make([]model.TaskView, 0, len(c.central.Tasks.All))
	for _, t := range c.central.Tasks.All {
		out = append(out, t.View())
	}
	return out
}

// VMs returns all VMs whose creation has ended, oldest first.
func (c *Control) VMs() []model.VMView {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	out := []model.VMView{}
	for _, m := range c.central.VMs.All {
		if m.Exists {
			out = append(out, m.View(c.central))
		}
	}
	return out
}

// SetRules replaces the rules. Existing entities do not change.
func (c *Control) SetRules(rules model.Rules) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	c.central.Rules = rules
}

// ChangeRules calls change with the current rules and stores the result.
func (c *Control) ChangeRules(change func(*model.Rules)) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	change(&c.central.Rules)
}

// Rules returns the current rules.
func (c *Control) Rules() model.Rules {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.Rules
}

// Lockout returns the lockout of the current rules.
func (c *Control) Lockout() auth.Lockout {
	rules := c.Rules()
	return auth.Lockout{After: rules.LockoutAfter, For: time.Duration(rules.LockoutFor), Status: rules.LockoutStatus}
}

// AddVMs creates the VMs of a fleet. If the creation of a VM fails, for example because its subnet has no free address,
// the VMs that were created before stay.
func (c *Control) AddVMs(fleet model.Fleet) ([]model.VMView, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.AddVMs(fleet)
}

// Snapshot returns the entities that clients have created. It fails while a VM is being changed. It also fails if a VM
// has GPUs, volume groups, or addresses and attributes that only the v4 API shows.
func (c *Control) Snapshot() (*model.Snapshot, error) {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.Snapshot()
}

// Restore adds the categories and VMs of a snapshot. It switches on the VMs that were on.
func (c *Control) Restore(saved *model.Snapshot) error {
	c.central.Mu.Lock()
	defer c.central.Mu.Unlock()
	return c.central.Restore(saved)
}
