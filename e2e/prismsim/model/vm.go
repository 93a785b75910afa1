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

// MoveTo moves a VM to another Prism Element.
func (m *VM) MoveTo(pc *Central, pe *inventory.PrismElement) {
	m.PrismElement = pe
	m.Spec.ClusterReference = pc.PrismElementReference(pe)
	if m.Live.Resources != nil {
		m.Live.ClusterReference = pc.PrismElementReference(pe)
	}
}

// Revision counts the changes of an entity, starting at 0.
type Revision int64

// ETag returns base64 of "<revision>,0", for example MSww.
func (v Revision) ETag() string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(int64(v), 10) + ",0"))
}

// RelVM is the type of a VM in the entities of a task.
const RelVM = "vmm:ahv:config:vm"

// VMDetails are the fields of a VM that only the v4 API shows.
type VMDetails struct {
	Revision   Revision
	Attributes []string // "key:value"
	// Shown is a power state that is shown instead of the real one until that changes. "" leaves it out of responses.
	Shown     *string
	Secondary map[string][]string // NIC UUID -> further configured IPv4 addresses
	Announced map[string][]string // NIC UUID -> addresses that something in the guest announces, such as kube-vip
}

// switched records that the power state has changed.
func (v *VMDetails) switched() {
	v.Shown = nil
	v.Revision++
}

// SetPowerState sets the power state of the spec and of what the hypervisor has.
func (m *VM) SetPowerState(state string) {
	m.Spec.Resources.PowerState = state
	if m.Live.Resources != nil {
		m.Live.Resources.PowerState = state
	}
}

// VM is a VM. An update changes Spec at once, and Live when its task ends.
type VM struct {
	UUID         string
	BIOS         string // BIOS UUID; the first UUID of the VM
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
	Exists   bool // its create has ended; before that the VM is not listed
	Pending  int  // changes that were accepted and have not ended
	Power    string
	Host     *inventory.Host
	GPUs     []wire.GPU          // attached by the hypervisor
	learned  map[string][]string // NIC UUID -> addresses that the hypervisor has seen
	V4       VMDetails

	Tasks []string
	Queue TaskQueue
	calls *callQueue
	guest string // the UUID in calls of the hypervisor
}

// NewVM adds a VM whose create has been accepted. The caller holds the mutex.
func (pc *Central) NewVM(body *wire.VMIntent, now time.Time) *VM {
	id := uuid.NewString()
	m := &VM{
		UUID: id, BIOS: id, PrismElement: pc.PrismElementByUUID(body.Spec.ClusterReference.UUID),
		Project: pc.Projects[0].UUID, Created: now, Updated: now, State: wire.StatePending, Power: wire.PowerOff,
		learned: map[string][]string{}, calls: &callQueue{},
	}
	m.SetSpec(pc, body)
	pc.VMs.Add(m)
	return m
}

// FinishCreate completes a create when its task ends. If only switching the VM on fails, the VM stays and is off, as
// on AHV.
func (pc *Central) FinishCreate(m *VM) *TaskError {
	m.Pending--
	if pc.VMByUUID(m.UUID) == nil {
		return &TaskError{Code: wire.ReasonNotFound, Detail: "ENTITY_NOT_FOUND: VM " + m.UUID + " was deleted"}
	}
	if failed := pc.UnreachableError(m); failed != nil {
		pc.release(m)
		return failed
	}
	if failed := pc.applySpec(m, &m.Spec, nil); failed != nil {
		pc.release(m)
		return failed
	}
	m.Exists, m.State, m.Live = true, wire.StateComplete, m.Spec.Clone()
	pc.VMs.restart(m)
	m.Updated = time.Now().UTC().Truncate(time.Second)
	if m.Spec.Resources.PowerState != wire.PowerOn {
		return nil
	}
	if failed := pc.SwitchOn(m); failed != nil {
		m.fail(failed)
		return failed
	}
	return nil
}

// RefuseUpdate refuses updates that the rules refuse.
func (pc *Central) RefuseUpdate(m *VM, body *wire.VMIntent) error {
	if body.Spec.HasLearned() && !pc.Rules.AcceptLearned {
		// The response is on record in terraform-provider-nutanix issue 97.
		return &wire.Error{
			Status: http.StatusUnprocessableEntity, Reason: wire.ReasonInvalidRequest, Message: "IP address with type 'LEARNED' not allowed",
		}
	}
	if text := pc.RefuseDetach(m.DetachedVolumeGroup(body.Spec.Resources), RefusedByRequest); text != "" {
		return wire.Unprocessable("vm", "%s", text)
	}
	return nil
}

// CheckUpdate refuses an update of an old spec_version, and changes of fields that can only be set by a create.
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

// Remove switches a VM off, releases its addresses and removes it. The caller holds the mutex.
func (pc *Central) Remove(m *VM) {
	if pc.VMByUUID(m.UUID) == nil {
		return
	}
	pc.SwitchOff(m)
	pc.release(m)
}

// release releases the addresses of a VM and removes it.
func (pc *Central) release(m *VM) {
	for _, list := range [][]wire.NIC{m.Live.NICs(), m.Spec.NICs()} {
		for _, n := range list {
			pc.releaseNIC(n.UUID)
		}
	}
	pc.VMs.Remove(m)
}

// fail sets the state of a VM to ERROR, with the error of its task.
func (m *VM) fail(failed *TaskError) {
	m.State = wire.StateError
	m.Messages = []wire.Message{{Message: failed.Detail, Reason: failed.Code}}
}

// failedBeforeWork ends a change whose task failed before its work. A create leaves nothing, an update leaves the VM in state ERROR
// with the new spec, and a delete leaves the VM unchanged.
func (m *VM) failedBeforeWork(pc *Central) {
	m.Pending--
	if !m.Exists {
		pc.release(m)
		return
	}
	m.State = wire.StateComplete
	if !m.Live.SameAs(m.Spec) {
		m.fail(&TaskError{Code: "INTERNAL_ERROR", Detail: "The last change failed."})
	}
}
