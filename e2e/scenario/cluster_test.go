package scenario

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// scenarioTimeout limits the duration of a scenario, and separately the duration of the deletion of its cluster. The
// limit is high because the scenarios may run on a busy machine.
const scenarioTimeout = 25 * time.Minute

// domain is a failure domain of a cluster.
type domain struct{ Name, PrismElement, Subnet string }

// cluster is the cluster of one scenario. It has its own namespace.
type cluster struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // the life of the test

	Name, Namespace        string
	Password               string
	ControlPlanes, Workers int
	Version, Image, Subnet string
	FailureDomains         []domain
	// InlineDomains makes the manifest define the failure domains in the NutanixCluster instead of in NutanixFailureDomain
	// objects.
	InlineDomains bool
	WorkerSpec    string
	// ProviderVersion is the value of spec.terraform.providerVersion. If it is empty, the field is not set.
	ProviderVersion string
	// API is the value of spec.terraform.api. If it is empty, the field is not set.
	API infrav1.PrismAPI

	// proxy is the proxy between the manager and Prism Central for this cluster, or nil if there is no proxy.
	proxy *proxy
	// applied contains the objects that were applied for the cluster, in the order in which they were applied.
	applied []*unstructured.Unstructured
}

// FailureDomainObjects returns the failure domains that the manifest creates as NutanixFailureDomain objects.
func (c *cluster) FailureDomainObjects() []domain {
	if c.InlineDomains {
		return nil
	}
	return c.FailureDomains
}

const workerSpec = `vcpuSockets: 2
vcpusPerSocket: 1
memorySize: 4Gi
systemDiskSize: 40Gi
image:
  type: name
  name: ubuntu-22.04-kube-v1.36.3
cluster:
  type: name
  name: nutanix-cluster-1
subnet:
- type: name
  name: vm-network
`

// newCluster returns a cluster with one control plane machine and no workers. A test can change the returned cluster
// before it calls apply. When the test ends, the cluster is deleted, and the test fails if any object, VM or state is
// left.
func newCluster(t *testing.T, name string) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scenarioTimeout)
	t.Cleanup(cancel)
	c := &cluster{
		t: t, ctx: ctx, Name: name, Namespace: name, Password: password, ControlPlanes: 1,
		Version: "v1.36.3", Image: "ubuntu-22.04-kube-v1.36.3", Subnet: "vm-network", WorkerSpec: workerSpec,
	}
	t.Cleanup(c.remove)
	return c
}

// apply applies the cluster's manifest. The manifest contains the addresses of the simulated Prism Central.
func (c *cluster) apply() {
	c.t.Helper()
	c.applyFile("testdata/cluster.yaml")
}

func (c *cluster) applyFile(path string) {
	c.t.Helper()
	c.applyObjects(c.parse(path, c))
}

// parse executes the Go template at path with data and parses the resulting manifest.
func (c *cluster) parse(path string, data any) []*unstructured.Unstructured {
	c.t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(c.t, err)
	parsed, err := template.New(path).Funcs(template.FuncMap{"indent": indent}).Parse(string(content))
	require.NoError(c.t, err)
	var manifest bytes.Buffer
	require.NoError(c.t, parsed.Execute(&manifest, data))
	objects, err := env.ParseManifest(manifest.Bytes())
	require.NoError(c.t, err)
	return objects
}

// applyTemplate applies the objects that clusterctl generates from the cluster template of the flavor.
func (c *cluster) applyTemplate(flavor string) {
	c.t.Helper()
	objects, err := testStack.FromTemplate(c.ctx, flavor, c.Namespace, c.Name, map[string]string{
		"CONTROL_PLANE_MACHINE_COUNT": strconv.Itoa(c.ControlPlanes), "WORKER_MACHINE_COUNT": strconv.Itoa(c.Workers),
	})
	require.NoError(c.t, err)
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(c.Namespace)
	c.applied = append([]*unstructured.Unstructured{namespace}, objects...)
	require.NoError(c.t, testStack.Env.Apply(c.ctx, c.applied...))
	logf(c.t, "applied %d objects generated from cluster template %s", len(objects), flavor)
}

func (c *cluster) applyObjects(objects []*unstructured.Unstructured) {
	c.t.Helper()
	require.NoError(c.t, testStack.Adapt(objects))
	if c.proxy != nil {
		c.proxy.insert(c.t, objects)
	}
	var err error
	c.applied, err = testStack.WithCCM(c.ctx, objects)
	require.NoError(c.t, err)
	require.NoError(c.t, testStack.Env.Apply(c.ctx, c.applied...))
	logf(c.t, "applied %d objects", len(objects))
}

func indent(spaces int, text string) string {
	prefix := strings.Repeat(" ", spaces)
	return prefix + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+prefix)
}

func (c *cluster) key() client.ObjectKey {
	return client.ObjectKey{Namespace: c.Namespace, Name: c.Name}
}

// complete waits until the cluster is Available and all its machines are ready.
func (c *cluster) complete() {
	c.t.Helper()
	c.must(testStack.WaitComplete(c.ctx, c.key()))
	logf(c.t, "complete: %s", strings.Join(c.machineNames(), ", "))
}

// must fails the test if err is not nil. Before that, it logs the state of all clusters.
func (c *cluster) must(err error) {
	c.t.Helper()
	if err == nil {
		return
	}
	c.t.Log(testStack.Explanation())
	require.NoError(c.t, err)
}

// machines returns the NutanixMachines of the cluster.
func (c *cluster) machines() []infrav1.NutanixMachine {
	c.t.Helper()
	list := &infrav1.NutanixMachineList{}
	require.NoError(c.t, testStack.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return list.Items
}

// workers returns the NutanixMachines of the cluster that are not control plane machines.
func (c *cluster) workers() []infrav1.NutanixMachine {
	c.t.Helper()
	var workers []infrav1.NutanixMachine
	for _, machine := range c.machines() {
		if _, plane := machine.Labels[clusterv1.MachineControlPlaneLabel]; !plane {
			workers = append(workers, machine)
		}
	}
	return workers
}

func (c *cluster) machineNames() []string {
	var names []string
	for _, machine := range c.machines() {
		names = append(names, machine.Name)
	}
	return names
}

// vms returns the VMs of the cluster in Prism Central.
func (c *cluster) vms() []prismsim.VM {
	var vms []prismsim.VM
	for _, vm := range testStack.Prism.VMs() {
		if stack.BelongsTo(vm, c.Name) {
			vms = append(vms, vm)
		}
	}
	return vms
}

// patch applies a JSON merge patch to an object of the cluster.
func (c *cluster) patch(object client.Object, name, patch string) {
	c.t.Helper()
	object.SetNamespace(c.Namespace)
	object.SetName(name)
	require.NoError(c.t, testStack.Env.Client.Patch(c.ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// waitForCondition waits until one of the objects has a condition of the type conditionType with the reason, and the
// message of the condition contains part.
func (c *cluster) waitForCondition(what string, objects func() []conditionsOf, conditionType, reason, part string) {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, what, func(context.Context) (bool, string, error) {
		seen := "nothing"
		for _, object := range objects() {
			condition := conditions.Get(object, conditionType)
			if condition == nil {
				continue
			}
			seen = condition.Reason + ": " + condition.Message
			if condition.Reason == reason && strings.Contains(condition.Message, part) {
				logf(c.t, "%s has %s=%s %s: %s", object.GetName(), conditionType, condition.Status, reason, condition.Message)
				return true, seen, nil
			}
		}
		return false, seen, nil
	}))
}

// conditionsOf is an object with conditions.
type conditionsOf interface {
	client.Object
	conditions.Setter
}

func (c *cluster) anyMachine() []conditionsOf {
	var objects []conditionsOf
	for _, machine := range c.machines() {
		objects = append(objects, &machine)
	}
	return objects
}

func (c *cluster) infraCluster() []conditionsOf {
	object := &infrav1.NutanixCluster{}
	if err := testStack.Env.Client.Get(c.ctx, c.key(), object); err != nil {
		return nil
	}
	return []conditionsOf{object}
}

// plansClean requires that terraform plan finds no changes. It checks only one machine for each combination of machine
// template and failure domain.
func (c *cluster) plansClean() {
	c.t.Helper()
	shapes := map[string]bool{}
	for _, machine := range c.machines() {
		shape := machine.Annotations[clusterv1.TemplateClonedFromNameAnnotation] + " " + machine.Status.FailureDomain
		if shapes[shape] {
			continue
		}
		shapes[shape] = true
		require.NoError(c.t, testStack.PlanClean(c.ctx, &machine))
	}
	require.NotEmpty(c.t, shapes)
	logf(c.t, "terraform plan: No changes, for machines of %d shapes", len(shapes))
}

// remove deletes the cluster and its namespace, and requires that no object, VM or state is left.
func (c *cluster) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), scenarioTimeout)
	defer cancel()
	c.ctx = ctx
	c.removeKeepingNamespace()
	if c.Namespace == corev1.NamespaceDefault {
		return
	}
	namespace := &corev1.Namespace{}
	namespace.Name = c.Namespace
	require.NoError(c.t, client.IgnoreNotFound(testStack.Env.Client.Delete(ctx, namespace)))
	c.must(testStack.Env.WaitForGone(ctx, namespace))
}

func (c *cluster) removeKeepingNamespace() {
	c.t.Helper()
	assert.NoError(c.t, checkNoPowerOff())
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(c.t, client.IgnoreNotFound(testStack.Env.Client.Delete(c.ctx, object)))
	c.must(testStack.Env.WaitForGone(c.ctx, object))
	c.deleteApplied()
	c.requireNothingLeft()
}

// deleteApplied deletes all applied objects except the namespace, without waiting for any of them.
func (c *cluster) deleteApplied() {
	c.t.Helper()
	for _, object := range c.applied {
		if object.GetKind() != "Namespace" {
			require.NoError(c.t, client.IgnoreNotFound(testStack.Env.Client.Delete(c.ctx, object)))
		}
	}
}

// requireNothingLeft waits until no object, VM or state of the deleted cluster is left.
func (c *cluster) requireNothingLeft() {
	c.t.Helper()
	c.must(testStack.Env.Wait(c.ctx, "everything of "+c.Name+" to be deleted", func(ctx context.Context) (bool, string, error) {
		left, err := testStack.LeftoversOf(ctx, c.Namespace, c.Name)
		return len(left) == 0, strings.Join(left, ", "), err
	}))
	logf(c.t, "deleted, nothing is left")
}
