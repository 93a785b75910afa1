package nutanixcluster

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/controllertest"
	"github.com/capnt/capnt/e2e/prismsim"
)

// versions are the versions of a simulated Prism Central and its two Prism Elements.
type versions struct{ central, first, second string }

var current, old = versions{"pc.7.5.1", "7.5", "7.5.1"}, versions{"pc.2024.3.0.1", "6.10", "6.10"}

const simulatedElements = "prismElements: [{name: pe-1}, {name: pe-2}]"

// useSimulation makes the cluster use a simulated Prism Central with the versions.
func (e *testEnvironment) useSimulation(of versions) *prismsim.Server {
	e.T.Helper()
	inventory, err := prismsim.ParseInventory([]byte(simulatedElements))
	require.NoError(e.T, err)
	inventory.PrismCentral.Version = of.central
	inventory.PrismElements[0].Version, inventory.PrismElements[1].Version = of.first, of.second
	server, err := prismsim.New(prismsim.Options{Inventory: inventory, Username: controllertest.Username, Password: controllertest.Password})
	require.NoError(e.T, err)
	e.T.Cleanup(server.Close)
	require.NoError(e.T, server.Start(context.WithoutCancel(e.T.Context())))
	use := func(cluster *infrav1.NutanixCluster) {
		host, port, err := net.SplitHostPort(server.Address())
		require.NoError(e.T, err)
		number, err := strconv.ParseInt(port, 10, 32)
		require.NoError(e.T, err)
		endpoint := cluster.Spec.PrismCentral
		endpoint.Address, endpoint.Port, endpoint.AdditionalTrustBundle.Data = host, int32(number), string(server.CABundle())
	}
	if e.NutanixCluster.UID == "" {
		use(e.NutanixCluster)
	} else {
		mutate(e, use)
	}
	return server
}

// newEnvironmentWithBoth returns a test environment in whose mirror are providers for both generations of the API.
func newEnvironmentWithBoth(t *testing.T) *testEnvironment {
	t.Helper()
	e := newTestEnvironment(t)
	e.reconciler.ProviderVersions = []string{"1.9.5", "2.4.2"}
	return e
}

func (e *testEnvironment) ask(api infrav1.PrismAPI) {
	e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{API: api}
}

// requireAPI requires that the cluster is ready and uses the API and the version of the provider.
func (e *testEnvironment) requireAPI(api, version string) {
	e.T.Helper()
	require.True(e.T, e.NutanixCluster.Status.Ready, "%+v", e.NutanixCluster.Status.Conditions)
	assert.Equal(e.T, infrav1.PrismAPI(api), infrav1.RecordedPrismAPI(e.NutanixCluster))
	assert.Equal(e.T, infrav1.PrismAPI(api), e.NutanixCluster.Status.Terraform.API)
	assert.Equal(e.T, version, e.NutanixCluster.Annotations[infrav1.ProviderVersionAnnotation])
}

// choices returns the events about choices of the API.
func (e *testEnvironment) choices() []string {
	return slices.DeleteFunc(e.Recorder.All(), func(event string) bool { return !strings.Contains(event, infrav1.PrismAPIChosenReason) })
}

// requests returns the numbers of requests through each API that a simulated Prism Central has received.
func requests(server *prismsim.Server) (v3, v4 int) {
	for _, request := range server.Requests() {
		if strings.HasPrefix(request.Path, "/api/nutanix/v3/") {
			v3++
		} else {
			v4++
		}
	}
	return v3, v4
}

func TestNewClusterUsesV4IfAllVersionsSupportIt(t *testing.T) {
	e := newEnvironmentWithBoth(t)
	server := e.useSimulation(current)
	e.running()
	e.requireAPI("v4", "2.4.2")
	v3, _ := requests(server)
	assert.Zero(t, v3, "requests through v3")
	require.Len(t, e.choices(), 1)
	assert.Contains(t, e.choices()[0], "use the v4 API of Prism Central: this Prism Central (pc.7.5.1)")
}

// The controller of failure domains looks up their Prism Elements through the API that a new cluster is going to use.
func TestLookUpsBeforeTheFirstRunUseTheSameAPI(t *testing.T) {
	for name, test := range map[string]struct {
		versions  versions
		throughV3 bool
	}{"current": {current, false}, "old": {old, true}} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			server := e.useSimulation(test.versions)
			e.Create(e.Credentials)
			access, choice, err := e.reconciler.Connect(t.Context(), e.NutanixCluster, "c")
			require.NoError(t, err)
			_, err = access.Client.PrismElement(t.Context(), controllertest.Named("pe-1"))
			require.NoError(t, err)
			v3, _ := requests(server)
			assert.Equal(t, test.throughV3, v3 > 0)
			assert.Equal(t, test.throughV3, choice.API == "")
			assert.Empty(t, e.NutanixCluster.Annotations, "nothing is recorded")
		})
	}
}

func TestNewClusterUsesV3OnOldVersions(t *testing.T) {
	for name, test := range map[string]struct {
		versions versions
		says     string
	}{
		"Prism Central":   {versions{"pc.7.3.1", "7.5", "7.5"}, "pc.7.3.1"},
		"a Prism Element": {versions{"pc.7.5.1", "7.5", "6.10.1"}, "Prism Element pe-2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			e.useSimulation(test.versions)
			e.running()
			e.requireAPI("v3", "1.9.5")
			require.Len(t, e.choices(), 1)
			assert.Contains(t, e.choices()[0], test.says)
			assert.Contains(t, e.choices()[0], "Normal")
		})
	}
}

// Only the Prism Elements that the cluster uses count.
func TestUnusedPrismElementDoesNotCount(t *testing.T) {
	e := newEnvironmentWithBoth(t)
	e.useSimulation(versions{"pc.7.5.1", "7.5", "6.10.1"})
	template := &infrav1.NutanixMachineTemplate{ObjectMeta: *e.NutanixMachine.ObjectMeta.DeepCopy()}
	template.Spec.Template.Spec = *e.NutanixMachine.Spec.DeepCopy()
	e.Create(template)
	e.running()
	e.requireAPI("v4", "2.4.2")
}

// A choice is made once. Neither an upgrade of Prism Central, nor a restart of the manager or a move changes it.
func TestChosenAPIIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		before, after versions
		api, version  string
	}{
		"v3": {old, current, "v3", "1.9.5"},
		"v4": {current, old, "v4", "2.4.2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			e.useSimulation(test.before)
			e.running()
			e.requireAPI(test.api, test.version)

			e.useSimulation(test.after)
			e.settle()
			e.requireAPI(test.api, test.version)

			dependencies := e.reconciler.Dependencies
			dependencies.ProviderVersion = "2.4.2"
			e.reconciler = &Reconciler{Dependencies: dependencies}
			controllertest.ChangeStatus(e.Environment, e.NutanixCluster, func(cluster *infrav1.NutanixCluster) { cluster.Status.Terraform = nil })
			mutate(e, func(cluster *infrav1.NutanixCluster) {
				cluster.Spec.Terraform = &infrav1.TerraformSpec{API: infrav1.PrismAPI(test.api)}
			})
			e.settle()
			e.requireAPI(test.api, test.version)
			assert.Len(t, e.choices(), 1)
		})
	}
}

// A cluster of v0.1.0 has a workspace key and no API. Prism Central is not asked about its versions.
func TestClusterOfV010StaysOnV3(t *testing.T) {
	e := newEnvironmentWithBoth(t)
	server := e.useSimulation(current)
	e.NutanixCluster.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: "key-of-v010"}
	e.running()
	e.requireAPI("v3", "1.9.5")
	_, v4 := requests(server)
	assert.Zero(t, v4, "requests through v4")
	assert.Empty(t, e.choices())
}

func TestSpecChoosesTheAPI(t *testing.T) {
	for api, test := range map[infrav1.PrismAPI]struct {
		versions versions
		version  string
	}{
		"v3": {current, "1.9.5"},
		"v4": {old, "2.4.2"},
	} {
		t.Run(string(api), func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			e.useSimulation(test.versions)
			e.ask(api)
			e.running()
			e.requireAPI(string(api), test.version)
		})
	}
}

func TestPinnedProviderForV3ChoosesV3(t *testing.T) {
	e := newEnvironmentWithBoth(t)
	e.useSimulation(current)
	e.NutanixCluster.Spec.Terraform = &infrav1.TerraformSpec{ProviderVersion: "1.9.5"}
	e.running()
	e.requireAPI("v3", "1.9.5")
}

// The cluster waits without a record, so that the spec can still be corrected.
func TestMissingProviderForV4IsReported(t *testing.T) {
	e := newTestEnvironment(t)
	e.useSimulation(current)
	e.ask(infrav1.PrismAPIV4)
	e.CreateCluster(e.Environment)
	e.settle()
	e.requireFalse(infrav1.PlanRecordedCondition, infrav1.ProviderVersionUnavailableReason)
	assert.Empty(t, e.NutanixCluster.Annotations[infrav1.WorkspaceKeyAnnotation])
	assert.Empty(t, e.NutanixCluster.Annotations[infrav1.PrismAPIAnnotation])
	assert.Empty(t, e.Terraform.Runs())

	mutate(e, func(cluster *infrav1.NutanixCluster) { cluster.Spec.Terraform.API = infrav1.PrismAPIV3 })
	e.settle()
	e.requireAPI("v3", "1.9.5")
}

// If only the mirror prevents v4, one warning says so.
func TestMirrorWithoutProviderForV4CausesAWarning(t *testing.T) {
	e := newTestEnvironment(t)
	e.useSimulation(current)
	e.running()
	e.settle()
	e.requireAPI("v3", "1.9.5")
	require.Len(t, e.choices(), 1)
	assert.Contains(t, e.choices()[0], "Warning "+infrav1.PrismAPIChosenReason)
	assert.Contains(t, e.choices()[0], "add provider 2.4.0 or later to the mirror")
}

// A Prism Central that cannot answer is asked again, because its versions are not known. Only a Prism Central without the v4 API, whose
// version is known through v3, rejects requests for good.
func TestUnansweredQuestionsAreNotGuessed(t *testing.T) {
	for name, fault := range map[string]prismsim.Fault{
		"everything fails":       {Status: http.StatusServiceUnavailable},
		"v4 is starting":         {Path: "^/api/(clustermgmt|prism)/", Status: http.StatusServiceUnavailable},
		"v4 is not found":        {Path: "^/api/(clustermgmt|prism)/", Status: http.StatusNotFound},
		"page of a proxy":        {Path: "^/api/(clustermgmt|prism)/", Status: http.StatusOK, Body: "<html>", ContentType: "text/html"},
		"dropped connections":    {Drop: true},
		"no permission for v4":   {Path: "^/api/(clustermgmt|prism)/", Status: http.StatusForbidden},
		"v4 fails and v3 is off": {Status: http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			server := e.useSimulation(current)
			set, err := server.Faults().Set(fault)
			require.NoError(t, err)
			e.CreateCluster(e.Environment)
			e.settle()
			assert.False(t, e.NutanixCluster.Status.Ready)
			assert.Empty(t, e.NutanixCluster.Annotations[infrav1.PrismAPIAnnotation])
			assert.Empty(t, e.NutanixCluster.Annotations[infrav1.WorkspaceKeyAnnotation])
			assert.Empty(t, e.choices())

			server.Faults().Clear(set)
			e.settle()
			e.requireAPI("v4", "2.4.2")
		})
	}
}

func TestPrismCentralWithoutV4(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusInternalServerError, http.StatusForbidden} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			e := newEnvironmentWithBoth(t)
			server := e.useSimulation(versions{"pc.2022.6.0.4", "5.20.4", "6.5"})
			_, err := server.Faults().Set(prismsim.Fault{Path: "^/api/(clustermgmt|prism)/", Status: status})
			require.NoError(t, err)
			e.running()
			e.requireAPI("v3", "1.9.5")
		})
	}
}

// Without any version, a Prism Central that does not find the v4 API counts as one that does not have it.
func TestPrismCentralOfUnknownVersionWithoutV4(t *testing.T) {
	e := newEnvironmentWithBoth(t)
	server := e.useSimulation(current)
	_, err := server.Faults().Set(prismsim.Fault{Path: "^/api/(clustermgmt|prism)/|/prism_central$", Status: http.StatusNotFound})
	require.NoError(t, err)
	e.running()
	e.requireAPI("v3", "1.9.5")
}
