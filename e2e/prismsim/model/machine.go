package model

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/capnt/capnt/e2e/prismsim/inventory"
	"github.com/capnt/capnt/e2e/prismsim/wire"
)

// MoveTo makes a VM belong to a Prism Element.
func (m *VM) MoveTo(e *Central, pe *inventory.PrismElement) {
	m.PrismElement = pe
	m.Spec.ClusterReference = e.PrismElementReference(pe)
	if m.Live.Resources != nil {
		m.Live.ClusterReference = e.PrismElementReference(pe)
	}
}

// Revision counts the changes of an entity, from 0. Its ETag is base64 of "<revision>,0", for example MSww.
type Revision int64

func (v Revision) ETag() string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(int64(v), 10) + ",0"))
}

// RelVM is the type of a VM in the entities of a task.
const RelVM = "vmm:ahv:config:vm"

// VMDetails is what only the v4 API and its tests know of a VM.
type VMDetails struct {
	Revision   Revision
	Attributes []string // "key:value"
	// Shown is the power state to show instead of the real one until the VM is switched; "" leaves it out.
	Shown     *string
	Secondary map[string][]string // NIC UUID -> further configured IPv4 addresses
	Announced map[string][]string // NIC UUID -> addresses that something in the guest announces, such as kube-vip
}

// switched notes that the power state changed.
func (v *VMDetails) switched() {
	v.Shown = nil
	v.Revision++
}

// SetPowerState writes a power state into what is wanted and what is there.
func (m *VM) SetPowerState(state string) {
	m.Spec.Resources.PowerState = state
	if m.Live.Resources != nil {
		m.Live.Resources.PowerState = state
	}
}

// VM is a VM: what its owner wants (spec) and what the hypervisor has (live). A change is wanted at once and had
// when its task ends.
type VM struct {
	UUID         string
	BIOS         string // BIOS UUID: the UUID that it was made with
	PrismElement *inventory.PrismElement
	Project      string // UUID
	Categories   Categories
	Spec         wire.VMSpec
	Live         wire.VMSpec
	Version      int64 // spec_version
	Created      time.Time
	Updated      time.Time

	State    string
	Messages []wire.Message
	Exists   bool // its creation ended; before that it is not listed
	Pending  int  // changes accepted and not done
	Power    string
	Host     *inventory.Host
	GPUs     []wire.GPU          // as the hypervisor attached them
	learned  map[string][]string // NIC UUID -> addresses that the hypervisor saw
	V4       VMDetails

	Tasks []string
	Queue TaskQueue
	calls *callQueue
	guest string // the UUID by which the hypervisor knows it
}

// NewMachine adds a VM that does not exist yet: its creation is wanted. The caller holds the mutex.
func (e *Central) NewMachine(body *wire.VMIntent, now time.Time) *VM {
	id := uuid.NewString()
	m := &VM{
		UUID: id, BIOS: id, PrismElement: e.PrismElementByUUID(body.Spec.ClusterReference.UUID),
		Project: e.Projects[0].UUID, Created: now, Updated: now, State: wire.StatePending, Power: wire.PowerOff,
		learned: map[string][]string{}, calls: &callQueue{},
	}
	m.Want(e, body)
	e.VMs.Add(m)
	return m
}

// FinishCreate makes the VM. When only switching it on fails, the VM stays behind, powered off, as on AHV.
func (e *Central) FinishCreate(m *VM) *TaskError {
	m.Pending--
	if e.VMByUUID(m.UUID) == nil {
		return &TaskError{Code: wire.ReasonNotFound, Detail: "ENTITY_NOT_FOUND: VM " + m.UUID + " was deleted"}
	}
	if failed := e.Lost(m); failed != nil {
		e.forget(m)
		return failed
	}
	if failed := e.realise(m, &m.Spec, nil); failed != nil {
		e.forget(m)
		return failed
	}
	m.Exists, m.State, m.Live = true, wire.StateComplete, m.Spec.Clone()
	e.VMs.restart(m)
	m.Updated = time.Now().UTC().Truncate(time.Second)
	if m.Spec.Resources.PowerState != wire.PowerOn {
		return nil
	}
	if failed := e.SwitchOn(m); failed != nil {
		m.fail(failed)
		return failed
	}
	return nil
}

// RefuseUpdate refuses what rules say that an update cannot do.
func (e *Central) RefuseUpdate(m *VM, body *wire.VMIntent) error {
	if body.Spec.HasLearned() && !e.Rules.AcceptLearned {
		// The response on record in terraform-provider-nutanix issue 97.
		return &wire.Error{
			Status: http.StatusUnprocessableEntity, Reason: wire.ReasonInvalidRequest, Message: "IP address with type 'LEARNED' not allowed",
		}
	}
	if text := e.RefuseDetach(m.DetachedVolumeGroup(body.Spec.Resources), RefusedByRequest); text != "" {
		return wire.Unprocessable("vm", "%s", text)
	}
	return nil
}

// CheckUpdate refuses an edit of an old version, and of what can only be set at creation.
func (m *VM) CheckUpdate(body *wire.VMIntent) error {
	if m.State == wire.StateDeletePending || !m.Exists {
		return &wire.Error{Status: http.StatusConflict, Kind: "vm", Reason: wire.ReasonConflict, Message: "The VM is being created or deleted."}
	}
	if v := body.Metadata.SpecVersion; v != nil && *v != m.Version {
		return &wire.Error{
			Status: http.StatusConflict, Kind: "vm", Reason: wire.ReasonConflict, Message: "Edit conflict: please retry change.",
			Details: map[string]string{"spec_version": strconv.FormatInt(*v, 10), "current": strconv.FormatInt(m.Version, 10)},
		}
	}
	if c := body.Spec.ClusterReference; !c.IsEmpty() && c.UUID != m.PrismElement.UUID {
		return wire.Unprocessable("vm", "cluster_reference of a VM cannot be changed.")
	}
	if g := body.Spec.Resources.GuestCustomization; g != nil && !g.Equal(m.Spec.Resources.GuestCustomization) {
		return wire.Unprocessable("vm", "guest_customization can only be set during VM creation.")
	}
	return nil
}

// Remove switches a VM off, frees its addresses and forgets it; the caller holds the mutex.
func (e *Central) Remove(m *VM) {
	if e.VMByUUID(m.UUID) == nil {
		return
	}
	e.SwitchOff(m)
	e.forget(m)
}

// forget frees what a VM holds and drops it.
func (e *Central) forget(m *VM) {
	for _, list := range [][]wire.NIC{m.Live.NICs(), m.Spec.NICs()} {
		for _, n := range list {
			e.releaseNIC(n.UUID)
		}
	}
	e.VMs.Remove(m)
}

// fail puts a VM into state ERROR with the text of the task.
func (m *VM) fail(failed *TaskError) {
	m.State = wire.StateError
	m.Messages = []wire.Message{{Message: failed.Detail, Reason: failed.Code}}
}

// failedBeforeWork is what remains of a change whose task was made to fail before the work: nothing of a creation, the
// wish of an update (in state ERROR), an unchanged VM of a deletion.
func (m *VM) failedBeforeWork(e *Central) {
	m.Pending--
	if !m.Exists {
		e.forget(m)
		return
	}
	m.State = wire.StateComplete
	if !m.Live.SameAs(m.Spec) {
		m.fail(&TaskError{Code: "INTERNAL_ERROR", Detail: "The last change failed."})
	}
}
