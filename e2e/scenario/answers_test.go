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

// answers is a set of rules for a simulated Prism Central, with the condition reasons that CAPNT must report under
// these rules. The sets of answers differ where no public record says how a real Prism Central behaves.
type answers struct {
	rules prismsim.Rules
	// hidden is the response status for VMs that the account has no permission to see. hiddenReason is the condition
	// reason of the machines while their VMs are hidden.
	hidden       int
	hiddenReason string
	// disconnected determines how Prism Central presents the VMs of a disconnected Prism Element. disconnectedReason is
	// the condition reason of the machines while the Prism Element is disconnected.
	disconnected       prismsim.Disconnection
	disconnectedReason string
	// miscount is the error that Prism Central adds to the totals of lists while the test makes these totals wrong.
	miscount int
	// lockout is the response status for a locked account. lockoutReason is the condition reason of the NutanixCluster
	// while the account is locked.
	lockout       int
	lockoutReason string
}

// The lifecycle of machines, from create to delete, works with each set of answers; see prismsim.Answers. The test
// starts a separate Prism Central for each set. Its VMs have no guests.
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

// machines contains two machines of a cluster without a control plane, and the Prism Central that they use.
type machines struct {
	*cluster
	answers
	prism *prismsim.Server
	// MachineNames contains the names of the machines, and uuids the UUIDs of their VMs.
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
	// Prism Central always lists at least this VM, which is not managed by CAPNT, because CAPNT does not accept an empty
	// list as proof that a VM is absent.
	_, err = prism.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: "other", PrismElement: "nutanix-cluster-2", Subnets: []string{"vm-network-2"}})
	require.NoError(t, err)
	logf(t, "Prism Central has the rules %+v", set.rules)
	c := newCluster(t, name)
	c.Subnet = "dhcp-network"
	return &machines{cluster: c, answers: set, prism: prism, MachineNames: []string{name + "-a", name + "-b"}}
}

// areCreated creates the machines. Prism Central drops the response to the create request of the second machine.
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

// areUpdated changes a category of a VM that was also changed outside of CAPNT: the VM has an attached volume group, an
// additional category, and an IP address that Prism Central has learned.
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

// areLostOnlyByARightCount deletes a VM while the totals of lists are wrong. CAPNT must report the VM as lost only
// after the totals are correct again.
func (m *machines) areLostOnlyByARightCount() {
	m.prism.ChangeRules(func(rules *prismsim.Rules) { rules.TotalOffset = m.miscount })
	require.NoError(m.t, m.prism.DeleteVM(m.uuids[1]))
	m.waitForCondition("the absence not to be proven", m.named(m.MachineNames[1]), infrav1.InputsResolvedCondition, infrav1.VMNotFoundReason, "counts another number than it lists")
	m.stayReady(infrav1.VMNotFoundReason)
	m.prism.ChangeRules(func(rules *prismsim.Rules) { rules.TotalOffset = 0 })
	m.waitForCondition("the VM to be lost", m.named(m.MachineNames[1]), infrav1.AppliedCondition, infrav1.VMLostReason, m.uuids[1])
}

// surviveALockout changes the password of the account in Prism Central, which locks an account after one failed login.
// CAPNT's login with the old password locks the account, so Prism Central rejects even the new password until the lockout
// ends.
func (m *machines) surviveALockout() {
	m.prism.ChangeRules(func(rules *prismsim.Rules) {
		rules.LockoutAfter, rules.LockoutFor, rules.LockoutStatus = 1, prismsim.Duration(time.Hour), m.lockout
	})
	before := len(m.prism.Requests())
	m.prism.SetPassword("another-password")
	m.must(testStack.Env.Wait(m.ctx, "the old password to be refused", func(context.Context) (bool, string, error) {
		return slices.ContainsFunc(m.prism.Requests()[before:], func(request prismsim.Request) bool {
			return request.Status == http.StatusUnauthorized && request.User != "" // a request with an ended session has no user
		}), "", nil
	}))
	m.patch(&corev1.Secret{}, "nutanix-credentials",
		`{"stringData":{"credentials":"[{\"type\":\"basic_auth\",\"data\":{\"prismCentral\":{\"username\":\"admin\",\"password\":\"another-password\"}}}]"}}`)
	logf(m.t, "the Secret was corrected")
	m.waitForCondition("the locked account to be refused", m.infraCluster, infrav1.CredentialsResolvedCondition, m.lockoutReason, "")
	m.prism.ChangeRules(func(rules *prismsim.Rules) { rules.LockoutAfter = 0 })
	m.waitForReady(m.MachineNames[0])
	m.waitForCondition("the credentials to be accepted", m.infraCluster, infrav1.CredentialsResolvedCondition, infrav1.CredentialsResolvedReason, "")
}

// areDeleted deletes the cluster. While Prism Central holds the request that deletes a VM, the test attaches another
// volume group to that VM.
func (m *machines) areDeleted() {
	id, err := m.prism.Faults().Set(prismsim.Fault{Method: http.MethodDelete, Path: "/vms/" + m.uuids[0], Times: 1, Hold: time.Hour})
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
	m.prism.Faults().Clear(id) // releases the request
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

// attach creates a volume group and attaches it to a VM.
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

// stayReady waits until a machine reports the reason, and then requires that all machines stay Ready for twice the
// absence period.
func (m *machines) stayReady(reason string) {
	m.t.Helper()
	m.waitForCondition("the reason to be given", m.anyMachine, infrav1.InputsResolvedCondition, reason, "")
	began := time.Now()
	m.must(testStack.Env.Wait(m.ctx, "twice the absence period to pass", func(context.Context) (bool, string, error) {
		for _, machine := range m.machines() {
			require.True(m.t, conditions.IsTrue(&machine, infrav1.ReadyCondition), "%s: %+v", machine.Name, machine.Status.Conditions)
		}
		return time.Since(began) > 2*(*absencePeriod), "", nil
	}))
}

// areFound waits until the manager has found the VMs of both machines again.
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

// requests returns the time and status of each v3 API request with the given method and path.
func (m *machines) requests(method, path string) []string {
	var found []string
	for _, request := range m.prism.Requests() {
		if request.Method == method && strings.HasSuffix(request.Path, "/v3"+path) {
			found = append(found, fmt.Sprintf("%s %d", request.Time.Format(time.RFC3339), request.Status))
		}
	}
	return found
}
