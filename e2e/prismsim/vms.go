package prismsim

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// machine is a VM: what its owner wants (spec) and what the hypervisor has (live). A change is wanted at once and had
// when its task ends.
type machine struct {
	uuid       string
	bios       string // BIOS UUID: the UUID that it was made with
	element    *PrismElement
	project    string // UUID
	categories assignedCategories
	spec       vmSpec
	live       vmSpec
	version    int64 // spec_version
	created    time.Time
	updated    time.Time

	state    string
	messages []message
	exists   bool // its creation ended; before that it is not listed
	pending  int  // changes accepted and not done
	power    string
	host     *Host
	gpus     []gpu               // as the hypervisor attached them
	learned  map[string][]string // NIC UUID -> addresses that the hypervisor saw
	v4       v4Machine

	tasks []string
	queue taskQueue
	calls *callQueue
	guest string // the UUID by which the hypervisor knows it
}

func (api *v3API) createVM(r *http.Request) (int, any, error) {
	var body vmIntent
	if err := decode(r, "vm", &body); err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	if err := api.checkIntent(&body, nil); err != nil {
		return 0, nil, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	m := api.newMachine(&body, now)
	wantOn := m.spec.Resources.PowerState == powerOn
	d := api.latency.Create
	if wantOn {
		d += api.latency.PowerOn
	}
	m.pending++
	t := api.startTask(r.Context(), m, "create_vm_intentful", d, func() *taskError { return api.finishCreate(m) })
	return http.StatusAccepted, snapshot(acceptedBody(m, t)), nil
}

// newMachine adds a VM that does not exist yet: its creation is wanted. The caller holds the mutex.
func (e *estate) newMachine(body *vmIntent, now time.Time) *machine {
	id := uuid.NewString()
	m := &machine{
		uuid: id, bios: id, element: e.elementByUUID(body.Spec.ClusterReference.UUID),
		project: e.projects[0].UUID, created: now, updated: now, state: statePending, power: powerOff,
		learned: map[string][]string{}, calls: &callQueue{},
	}
	m.want(e, body)
	e.vms.add(m)
	return m
}

// finishCreate makes the VM. When only switching it on fails, the VM stays behind, powered off, as on AHV.
func (e *estate) finishCreate(m *machine) *taskError {
	m.pending--
	if e.vmByUUID(m.uuid) == nil {
		return &taskError{code: reasonNotFound, detail: "ENTITY_NOT_FOUND: VM " + m.uuid + " was deleted"}
	}
	if failed := e.lost(m); failed != nil {
		e.forget(m)
		return failed
	}
	if failed := e.realise(m, &m.spec, nil); failed != nil {
		e.forget(m)
		return failed
	}
	m.exists, m.state, m.live = true, stateComplete, m.spec.clone()
	e.vms.restart(m)
	m.updated = time.Now().UTC().Truncate(time.Second)
	if m.spec.Resources.PowerState != powerOn {
		return nil
	}
	if failed := e.switchOn(m); failed != nil {
		m.fail(failed)
		return failed
	}
	return nil
}

func (api *v3API) getVM(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, snapshot(vmBody(m, api.estate)), nil
}

// vm finds the VM of a request; the caller holds the mutex.
func (api *v3API) vm(r *http.Request) (*machine, error) {
	id := r.PathValue("uuid")
	if !isUUID(id) {
		return nil, unprocessable("vm", "%q is not a valid UUID.", id)
	}
	m := api.vmByUUID(id)
	if m == nil {
		return nil, notFound("vm", "The VM "+id)
	}
	switch status := api.unreachable(m); status {
	case 0:
		return m, nil
	case http.StatusNotFound:
		return nil, notFound("vm", "The VM "+id)
	default:
		return nil, refusalWith(status)
	}
}

func (api *v3API) updateVM(r *http.Request) (int, any, error) {
	var body vmIntent
	if err := decode(r, "vm", &body); err != nil {
		return 0, nil, err
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	if err := api.checkIntent(&body, m); err != nil {
		return 0, nil, err
	}
	if err := m.checkUpdate(&body); err != nil {
		return 0, nil, err
	}
	if err := api.refuseUpdate(m, &body); err != nil {
		return 0, nil, err
	}
	offAgain := m.switchedOffAgain(api.estate, &body)
	if text := api.refusePowerOff(m, RefusedByRequest); offAgain && text != "" {
		return 0, nil, unprocessable("vm", "%s", text)
	}
	m.want(api.estate, &body)
	m.version++
	m.state, m.messages = statePending, nil
	m.pending++
	d := api.latency.Update
	if m.spec.Resources.PowerState == powerOn && m.power != powerOn {
		d += api.latency.PowerOn
	}
	spec := m.spec.clone()
	t := api.startTask(r.Context(), m, "update_vm_intentful", d, func() *taskError { return api.finishUpdate(m, spec, offAgain) })
	return http.StatusAccepted, snapshot(acceptedBody(m, t)), nil
}

// refuseUpdate refuses what rules say that an update cannot do.
func (e *estate) refuseUpdate(m *machine, body *vmIntent) error {
	if body.Spec.hasLearned() && !e.rules.AcceptLearned {
		// The response on record in terraform-provider-nutanix issue 97.
		return &apiError{
			status: http.StatusUnprocessableEntity, reason: reasonInvalidRequest, message: "IP address with type 'LEARNED' not allowed",
		}
	}
	if text := e.refuseDetach(m.detachedBy(body.Spec.Resources), RefusedByRequest); text != "" {
		return unprocessable("vm", "%s", text)
	}
	return nil
}

// hasLearned reports whether a NIC has an IP endpoint of type LEARNED.
func (s vmSpec) hasLearned() bool {
	return slices.ContainsFunc(s.nics(), func(n nic) bool {
		return slices.ContainsFunc(n.IPEndpoints, func(endpoint ipEndpoint) bool { return endpoint.Type == typeLearned })
	})
}

// checkUpdate refuses an edit of an old version, and of what can only be set at creation.
func (m *machine) checkUpdate(body *vmIntent) error {
	if m.state == stateDeletePending || !m.exists {
		return &apiError{status: http.StatusConflict, kind: "vm", reason: reasonConflict, message: "The VM is being created or deleted."}
	}
	if v := body.Metadata.SpecVersion; v != nil && *v != m.version {
		return &apiError{
			status: http.StatusConflict, kind: "vm", reason: reasonConflict, message: "Edit conflict: please retry change.",
			details: map[string]string{"spec_version": strconv.FormatInt(*v, 10), "current": strconv.FormatInt(m.version, 10)},
		}
	}
	if c := body.Spec.ClusterReference; !c.isEmpty() && c.UUID != m.element.UUID {
		return unprocessable("vm", "cluster_reference of a VM cannot be changed.")
	}
	if g := body.Spec.Resources.GuestCustomization; g != nil && !g.equal(m.spec.Resources.GuestCustomization) {
		return unprocessable("vm", "guest_customization can only be set during VM creation.")
	}
	return nil
}

func (api *v3API) deleteVM(r *http.Request) (int, any, error) {
	api.mu.Lock()
	defer api.mu.Unlock()
	m, err := api.vm(r)
	if err != nil {
		return 0, nil, err
	}
	if text := api.refuseDelete(m, RefusedByRequest); text != "" {
		return 0, nil, unprocessable("vm", "%s", text)
	}
	m.state = stateDeletePending
	m.pending++
	t := api.startTask(r.Context(), m, "delete_vm_intentful", api.latency.Delete, func() *taskError {
		m.pending--
		if failed := api.lost(m); failed != nil {
			m.state = stateComplete
			return failed
		}
		if text := api.refuseDelete(m, RefusedByTask); text != "" {
			m.state = stateComplete
			return &taskError{code: "INVALID_ARGUMENT", detail: "INVALID_ARGUMENT: Invalid Argument: 6\n :" + text}
		}
		api.remove(m)
		return nil
	})
	answer := acceptedBody(m, t)
	answer.Spec, answer.Status.State = "", stateDeletePending
	return http.StatusAccepted, snapshot(answer), nil
}

// remove switches a VM off, frees its addresses and forgets it; the caller holds the mutex.
func (e *estate) remove(m *machine) {
	if e.vmByUUID(m.uuid) == nil {
		return
	}
	e.switchOff(m)
	e.forget(m)
}

// forget frees what a VM holds and drops it.
func (e *estate) forget(m *machine) {
	for _, list := range [][]nic{m.live.nics(), m.spec.nics()} {
		for _, n := range list {
			e.releaseNIC(n.UUID)
		}
	}
	e.vms.remove(m)
}

// fail puts a VM into state ERROR with the text of the task.
func (m *machine) fail(failed *taskError) {
	m.state = stateError
	m.messages = []message{{Message: failed.detail, Reason: failed.code}}
}

// failedBeforeWork is what remains of a change whose task was made to fail before the work: nothing of a creation, the
// wish of an update (in state ERROR), an unchanged VM of a deletion.
func (m *machine) failedBeforeWork(e *estate) {
	m.pending--
	if !m.exists {
		e.forget(m)
		return
	}
	m.state = stateComplete
	if !m.live.sameAs(m.spec) {
		m.fail(&taskError{code: "INTERNAL_ERROR", detail: "The last change failed."})
	}
}

// acceptedBody gives the 202 answer to a change.
func acceptedBody(m *machine, t *task) accepted {
	return accepted{
		APIVersion: apiVersion,
		Metadata:   map[string]any{"kind": "vm", "uuid": m.uuid, "spec_version": m.version, "use_categories_mapping": false},
		Spec:       m.spec,
		Status:     vmStatus{State: statePending, Execution: &executionContext{TaskUUID: t.UUID}},
	}
}
