package scenario

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// answers are what a Prism Central does where no public record says what a real one does.
type answers struct {
	rules prismsim.Rules
	// hidden is the status of responses about VMs that the account does not see, and hiddenReason the reason that machines give then.
	hidden       int
	hiddenReason string
	// disconnected is how VMs of a disconnected Prism Element are shown, and disconnectedReason the reason that machines give then.
	disconnected       prismsim.Disconnection
	disconnectedReason string
	// miscount is by how much totals of lists are off while they are.
	miscount int
	// lockout is the status of responses to a locked account, and lockoutReason the reason that the NutanixCluster gives then.
	lockout       int
	lockoutReason string
}

// Machines live and die with either answer to each question about Prism Central that no public record answers. Each set of answers
// has a Prism Central of its own, whose VMs have no guests.
func TestMachinesLiveWithEitherAnswer(t *testing.T) {
	t.Parallel()
	first, _ := prismsim.Answers(false)
	second, _ := prismsim.Answers(true)
	sets := map[string]answers{
		"first": {
			rules: first, hidden: http.StatusNotFound, hiddenReason: infrav1.VMNotFoundReason, disconnectedReason: infrav1.VMNotFoundReason,
			miscount: 2, lockout: http.StatusUnauthorized, lockoutReason: infrav1.AuthenticationFailedReason,
		},
		"second": {
			rules: second, hidden: http.StatusForbidden, hiddenReason: infrav1.PermissionDeniedReason,
			disconnected:       prismsim.Disconnection{Listed: true, Status: http.StatusServiceUnavailable},
			disconnectedReason: infrav1.PrismUnreachableReason,
			miscount:           -1, lockout: http.StatusForbidden, lockoutReason: infrav1.PermissionDeniedReason,
		},
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachines(t, "answers-"+name, set)
			m.areCreated()
			m.areUpdated()
			m.stayReadyWhileHidden()
			m.stayReadyWhileDisconnected()
			m.areLostOnlyByARightCount()
			m.surviveALockout()
			m.areDeleted()
		})
	}
}

// machines are two machines without a control plane, and their Prism Central.
type machines struct {
	*cluster
	answers
	prism *prismsim.Server
	// MachineNames are their names, and uuids the UUIDs of their VMs.
	MachineNames []string
	uuids        []string
}

func newMachines(t *testing.T, name string, set answers) *machines {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(testStack.Options().Repository, "e2e/prismsim/testdata/inventory.yaml"))
	require.NoError(t, err)
	inventory, err := prismsim.ParseInventory(content)
	require.NoError(t, err)
	prism, err := prismsim.New(prismsim.Options{Inventory: inventory, Password: password, Latency: stack.Latencies(createDuration), Rules: set.rules})
	require.NoError(t, err)
	t.Cleanup(prism.Close)
	require.NoError(t, prism.Start(context.Background()))
	prism.RecordBodies(true)
	// Prism Central always shows a VM of somebody else, because an empty list proves no absence.
	_, err = prism.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: "other", PrismElement: "nutanix-cluster-2", Subnets: []string{"vm-network-2"}})
	require.NoError(t, err)
	logf(t, "Prism Central has the rules %+v", set.rules)
	c := newCluster(t, name)
	c.Subnet = "dhcp-network"
	return &machines{cluster: c, answers: set, prism: prism, MachineNames: []string{name + "-a", name + "-b"}}
}

// areCreated creates the machines. The response to one create is lost.
func (m *machines) areCreated() {
	_, err := m.prism.Faults().Set(prismsim.Fault{Method: http.MethodPost, Path: "/vms$", Contains: `"name":"` + m.MachineNames[1] + `"`, Times: 1, DropReply: true})
	require.NoError(m.t, err)
	objects := m.parse("testdata/machines.yaml", m)
	require.NoError(m.t, testStack.Adapt(objects))
	host, port, err := net.SplitHostPort(m.prism.Address())
	require.NoError(m.t, err)
	number, err := strconv.Atoi(port)
	require.NoError(m.t, err)
	leadTo(m.t, objects, host, number, m.prism.CABundle())
	m.applied = objects
	require.NoError(m.t, testStack.Env.Apply(m.ctx, objects...))
	m.waitForReady(m.MachineNames...)
	require.Len(m.t, m.prism.VMs(), 3)
	assert.Len(m.t, m.requests(http.MethodPost, "/vms"), 2, "no create was repeated")
	for _, name := range m.MachineNames {
		m.uuids = append(m.uuids, m.machine(name).Status.VMUUID)
	}
	logf(m.t, "both machines are Ready")
}

// areUpdated changes a category of a VM that others have changed as well: it has a volume group, a category of theirs, and an address
// that Prism Central has learned.
func (m *machines) areUpdated() {
	m.attach(m.uuids[0])
	require.NoError(m.t, m.prism.ChangeVM(m.uuids[0], prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"42", "43"}}}))
	m.edit(m.MachineNames[0], `{"spec":{"categories":[{"key":"Environment","value":"Testing"}]}}`)
	m.waitForPlanRecorded(m.MachineNames[0], infrav1.CategoryValuesAmbiguousReason, "CostCenter (42, 43)")
	require.NoError(m.t, m.prism.ChangeVM(m.uuids[0], prismsim.VMChange{Categories: map[string][]string{"CostCenter": {"43"}}}))
	m.waitForApplied(m.MachineNames[0])
	vm := m.vm(m.uuids[0])
	assert.Equal(m.t, map[string]string{"KubernetesClusterName": m.Name, "Environment": "Testing", "CostCenter": "43"}, vm.Categories)
	assert.Equal(m.t, "ON", vm.PowerState)
	assert.Equal(m.t, []string{vm.UUID}, m.prism.VolumeGroups()[0].AttachedTo, "the volume group stays attached")
	logf(m.t, "the VM with a volume group was updated")
}

func (m *machines) stayReadyWhileHidden() {
	require.NoError(m.t, m.prism.SetRights("admin", prismsim.Rights{Hidden: m.uuids, Status: m.hidden}))
	m.stayReady(m.hiddenReason)
	require.NoError(m.t, m.prism.SetRights("admin", prismsim.Rights{}))
	m.areFound()
}

func (m *machines) stayReadyWhileDisconnected() {
	const element = "nutanix-cluster-1"
	require.NoError(m.t, m.prism.DisconnectPrismElement(element, m.disconnected))
	m.stayReady(m.disconnectedReason)
	require.NoError(m.t, m.prism.ReconnectPrismElement(element))
	m.areFound()
}

// areLostOnlyByARightCount deletes a VM while totals are off. Its absence is proven only when they are right again.
func (m *machines) areLostOnlyByARightCount() {
	m.prism.ChangeRules(func(rules *prismsim.Rules) { rules.TotalOffset = m.miscount })
	require.NoError(m.t, m.prism.DeleteVM(m.uuids[1]))
	m.waitForCondition("the absence not to be proven", m.named(m.MachineNames[1]), infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason, "counts another number than it lists")
	m.stayReady(infrav1.VMNotFoundReason)
	m.prism.ChangeRules(func(rules *prismsim.Rules) { rules.TotalOffset = 0 })
	m.waitForCondition("the VM to be lost", m.named(m.MachineNames[1]), infrav1.AppliedCondition, infrav1.VMLostReason, m.uuids[1])
}

// surviveALockout gives the account another password. The old one locks it, so that the right one is refused for a while, too.
func (m *machines) surviveALockout() {
	m.prism.ChangeRules(func(rules *prismsim.Rules) {
		rules.LockoutAfter, rules.LockoutFor, rules.LockoutStatus = 3, prismsim.Duration(*listLag), m.lockout
	})
	before := len(m.prism.Requests())
	m.prism.SetPassword("another-password")
	m.must(testStack.Env.Wait(m.ctx, "the account to be locked", func(context.Context) (bool, string, error) {
		refused := 0
		for _, request := range m.prism.Requests()[before:] {
			if request.Status == http.StatusUnauthorized || request.Status == m.lockout {
				refused++
			}
		}
		return refused > 3, fmt.Sprintf("%d logins were refused", refused), nil
	}))
	m.waitForCondition("the credentials to be refused", m.infraCluster, infrav1.CredentialsResolvedCondition, m.lockoutReason, "")
	m.patch(&corev1.Secret{}, "nutanix-credentials",
		`{"stringData":{"credentials":"[{\"type\":\"basic_auth\",\"data\":{\"prismCentral\":{\"username\":\"admin\",\"password\":\"another-password\"}}}]"}}`)
	logf(m.t, "the Secret was corrected")
	m.waitForReady(m.MachineNames[0])
	m.waitForCondition("the credentials to be accepted", m.infraCluster, infrav1.CredentialsResolvedCondition, infrav1.CredentialsResolvedReason, "")
}

// areDeleted deletes the cluster. A volume group is attached again while Prism Central holds the request that deletes the VM.
func (m *machines) areDeleted() {
	id, err := m.prism.Faults().Set(prismsim.Fault{Method: http.MethodDelete, Path: "/vms/" + m.uuids[0], Times: 1, Hold: *holdDuration})
	require.NoError(m.t, err)
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = m.Namespace, m.Name
	require.NoError(m.t, testStack.Env.Client.Delete(m.ctx, object))
	m.must(testStack.Env.Wait(m.ctx, "the VM to be deleted", func(context.Context) (bool, string, error) {
		faults := m.prism.Faults().List()
		at := slices.IndexFunc(faults, func(fault prismsim.Fault) bool { return fault.ID == id })
		return at < 0 || faults[at].Hits > 0, "", nil
	}))
	m.attach(m.uuids[0])
	m.must(testStack.Env.WaitForGone(m.ctx, object))
	assert.Len(m.t, m.prism.VMs(), 1, "only the VM of somebody else is left")
	assert.NotContains(m.t, m.prism.CategoryValues(infrav1.CategoryKey), m.Name)
	assert.Greater(m.t, len(m.requests(http.MethodDelete, "/vms/"+m.uuids[0])), 1, "one deletion was refused")
	require.Len(m.t, m.prism.VolumeGroups(), 2)
	for _, group := range m.prism.VolumeGroups() {
		assert.Empty(m.t, group.AttachedTo, group.Name)
	}
	assert.NoError(m.t, checkNoPowerOffIn(m.prism.Requests()))
}

// attach attaches a new volume group to a VM.
func (m *machines) attach(uuid string) {
	m.t.Helper()
	group, err := m.prism.AddVolumeGroup(prismsim.VolumeGroup{Name: "pvc", PrismElement: "nutanix-cluster-1"})
	require.NoError(m.t, err)
	require.NoError(m.t, m.prism.AttachVolumeGroup(group, uuid))
	logf(m.t, "a volume group was attached to %s", uuid)
}

func (m *machines) waitForReady(names ...string) {
	m.t.Helper()
	for _, name := range names {
		m.waitForCondition(name+" to be Ready", m.named(name), infrav1.ReadyCondition, infrav1.ProvisionedReason, "")
	}
}

// stayReady proves that the machines stay Ready for twice the absence period after one of them has given a reason.
func (m *machines) stayReady(reason string) {
	m.t.Helper()
	m.waitForCondition("the reason to be given", m.anyMachine, infrav1.InputsResolvedCondition, reason, "")
	began := time.Now()
	m.must(testStack.Env.Wait(m.ctx, "twice the absence period to pass", func(context.Context) (bool, string, error) {
		for _, machine := range m.cluster.machines() {
			require.True(m.t, conditions.IsTrue(&machine, infrav1.ReadyCondition), "%s: %+v", machine.Name, machine.Status.Conditions)
		}
		return time.Since(began) > 2*(*absencePeriod), "", nil
	}))
}

// areFound waits until Prism Central shows both VMs again.
func (m *machines) areFound() {
	m.t.Helper()
	for _, name := range m.MachineNames {
		m.waitForCondition("the VM of "+name+" to be found", m.named(name), infrav1.InputsResolvedCondition, infrav1.InputsResolvedReason, "")
	}
}

func (m *machines) vm(uuid string) prismsim.VM {
	m.t.Helper()
	vms := m.prism.VMs()
	at := slices.IndexFunc(vms, func(vm prismsim.VM) bool { return vm.UUID == uuid })
	require.GreaterOrEqual(m.t, at, 0, "Prism Central has no %s", uuid)
	return vms[at]
}

// requests are the requests of a method to a path of the v3 API.
func (m *machines) requests(method, path string) []string {
	var found []string
	for _, request := range m.prism.Requests() {
		if request.Method == method && strings.HasSuffix(request.Path, "/v3"+path) {
			found = append(found, fmt.Sprintf("%s %d", request.Time.Format(time.RFC3339), request.Status))
		}
	}
	return found
}
