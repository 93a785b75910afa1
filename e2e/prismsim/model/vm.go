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

// Revision is the number of changes of an entity since its creation.
type Revision int64

// ETag returns the base64 encoding of "<revision>,0", for example MSww.
func (v Revision) ETag() string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(int64(v), 10) + ",0"))
}

// RelVM is the type of VMs in the entities of a task.
const RelVM = "vmm:ahv:config:vm"

// relDisk is the type of the unknown entity in a task that creates a VM. Its real type is not on public record, but it is
// not the type of VMs: provider 2.4.2 takes the first entity of that type for the created VM, and works.
const relDisk = RelVM + ":disk"

// VMDetails contains the fields of a VM that only the v4 API shows.
type VMDetails struct {
	Revision   Revision
	Attributes []string // "key:value"
	// Further contains the properties that only the v4 API has, in the format of that API.
	Further map[string]any
	// Shown, if not nil, is the power state that the API shows until the real power state changes. If Shown points to
	// an empty string, responses contain no power state.
	Shown     *string
	Secondary map[string][]string // further configured IPv4 addresses by UUID of the NIC
	Announced map[string][]string // addresses that software in the guest announces, such as kube-vip, by UUID of the NIC
}

// switched removes the shown power state and increments the revision after the real power state has changed.
func (v *VMDetails) switched() {
	v.Shown = nil
	v.Revision++
}

// SetPowerState sets the power state in the requested spec and in the spec that is in effect in the hypervisor.
func (m *VM) SetPowerState(state string) {
	m.Spec.Resources.PowerState = state
	if m.Live.Resources != nil {
		m.Live.Resources.PowerState = state
	}
}

// VM is a simulated virtual machine. Spec is the requested spec and changes when the server accepts an update. Live is
// the spec that is in effect in the hypervisor and changes at the end of the update's task.
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
	Exists   bool // false until the create task has ended; lists omit the VM until then
	Pending  int  // number of accepted changes that have not ended
	Power    string
	Host     *inventory.Host
	GPUs     []wire.GPU          // GPUs that the hypervisor has attached
	learned  map[string][]string // addresses that the hypervisor has learned, by UUID of the NIC
	V4       VMDetails

	Tasks []string
	Queue TaskQueue
	calls *callQueue
	guest string // UUID of the VM in hypervisor calls
}

// NewVM adds a VM for an accepted create request. The caller must hold the mutex.
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

// FinishCreate completes the creation of a VM at the end of its task. If only switching the VM on fails, the VM stays
// and is off, as on AHV.
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

// RefuseUpdate returns an error for updates that the rules reject.
func (pc *Central) RefuseUpdate(m *VM, body *wire.VMIntent) error {
	if body.Spec.HasLearned() && !pc.Rules.AcceptLearned {
		// terraform-provider-nutanix issue 97 contains this response.
		return &wire.Error{
			Status: http.StatusUnprocessableEntity, Reason: wire.ReasonInvalidRequest, Message: "IP address with type 'LEARNED' not allowed",
		}
	}
	if text := pc.RefuseDetach(m.DetachedVolumeGroup(body.Spec.Resources), RefusedByRequest); text != "" {
		return wire.Unprocessable("vm", "%s", text)
	}
	return nil
}

// CheckUpdate returns an error if the update has an outdated spec_version or changes fields that only a create request
// can set.
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

// Remove switches a VM off, releases its addresses and removes it from the collection. The caller must hold the mutex.
func (pc *Central) Remove(m *VM) {
	if pc.VMByUUID(m.UUID) == nil {
		return
	}
	pc.SwitchOff(m)
	pc.release(m)
}

// release releases the addresses of a VM and removes the VM from the collection.
func (pc *Central) release(m *VM) {
	for _, list := range [][]wire.NIC{m.Live.NICs(), m.Spec.NICs()} {
		for _, n := range list {
			pc.releaseNIC(n.UUID)
		}
	}
	pc.VMs.Remove(m)
}

// fail sets the state of a VM to ERROR and stores the error of its task.
func (m *VM) fail(failed *TaskError) {
	m.State = wire.StateError
	m.Messages = []wire.Message{{Message: failed.Detail, Reason: failed.Code}}
}

// failedBeforeWork reverts or ends a change whose task failed before its work. A failed create leaves no VM, a failed
// update leaves the VM in state ERROR with the new spec, and a failed delete leaves the VM unchanged.
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
