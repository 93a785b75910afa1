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

// patience bounds a scenario, and once more the deletion of its cluster. It is for machines that are slow, not for what is tested.
const patience = 25 * time.Minute

// domain is a failure domain of a cluster.
type domain struct{ Name, PrismElement, Subnet string }

// cluster is the cluster of one scenario, in a namespace of its own.
type cluster struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // the life of the test

	Name, Namespace        string
	Password               string
	ControlPlanes, Workers int
	Version, Image, Subnet string
	FailureDomains         []domain
	// InlineDomains says that the failure domains are written into the NutanixCluster.
	InlineDomains bool
	WorkerSpec    string
	// ProviderVersion is spec.terraform.providerVersion, if any.
	ProviderVersion string

	// proxy stands between the manager and Prism Central, where there is one.
	proxy *proxy
	// applied is all that was applied for the cluster.
	applied []*unstructured.Unstructured
}

// FailureDomainObjects are the failure domains that are NutanixFailureDomains.
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

// newCluster describes a cluster with one control plane machine and no workers, to be changed before apply. However the
// test ends, the cluster is deleted, and nothing of it may be left.
func newCluster(t *testing.T, name string) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := &cluster{
		t: t, ctx: ctx, Name: name, Namespace: name, Password: password, ControlPlanes: 1,
		Version: "v1.36.3", Image: "ubuntu-22.04-kube-v1.36.3", Subnet: "vm-network", WorkerSpec: workerSpec,
	}
	t.Cleanup(c.remove)
	return c
}

// apply applies the cluster's manifest, adapted to the simulation.
func (c *cluster) apply() {
	c.t.Helper()
	c.applyFile("testdata/cluster.yaml")
}

func (c *cluster) applyFile(path string) {
	c.t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(c.t, err)
	parsed, err := template.New(path).Funcs(template.FuncMap{"indent": indent}).Parse(string(content))
	require.NoError(c.t, err)
	var manifest bytes.Buffer
	require.NoError(c.t, parsed.Execute(&manifest, c))
	objects, err := env.ParseManifest(manifest.Bytes())
	require.NoError(c.t, err)
	c.applyObjects(objects)
}

// applyTemplate applies what clusterctl makes from a cluster template.
func (c *cluster) applyTemplate(flavor string) {
	c.t.Helper()
	objects, err := world.FromTemplate(c.ctx, flavor, c.Namespace, c.Name, map[string]string{
		"CONTROL_PLANE_MACHINE_COUNT": strconv.Itoa(c.ControlPlanes), "WORKER_MACHINE_COUNT": strconv.Itoa(c.Workers),
	})
	require.NoError(c.t, err)
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(c.Namespace)
	c.applied = append([]*unstructured.Unstructured{namespace}, objects...)
	require.NoError(c.t, world.Env.Apply(c.ctx, c.applied...))
	say(c.t, "applied the %d objects that clusterctl made from template %s", len(objects), flavor)
}

func (c *cluster) applyObjects(objects []*unstructured.Unstructured) {
	c.t.Helper()
	require.NoError(c.t, world.Adapt(objects))
	if c.proxy != nil {
		c.proxy.putBefore(c.t, objects)
	}
	var err error
	c.applied, err = world.WithCCM(c.ctx, objects)
	require.NoError(c.t, err)
	require.NoError(c.t, world.Env.Apply(c.ctx, c.applied...))
	say(c.t, "applied %d objects", len(objects))
}

func indent(spaces int, text string) string {
	prefix := strings.Repeat(" ", spaces)
	return prefix + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+prefix)
}

func (c *cluster) key() client.ObjectKey {
	return client.ObjectKey{Namespace: c.Namespace, Name: c.Name}
}

// complete waits until the cluster is Available with all its machines.
func (c *cluster) complete() {
	c.t.Helper()
	c.must(world.WaitComplete(c.ctx, c.key()))
	say(c.t, "complete: %s", strings.Join(c.machineNames(), ", "))
}

// must fails the test with everything that is known about all clusters.
func (c *cluster) must(err error) {
	c.t.Helper()
	if err == nil {
		return
	}
	var explanation bytes.Buffer
	if err := world.Explain(context.Background(), &explanation); err != nil {
		c.t.Logf("explaining: %v", err)
	}
	c.t.Log(explanation.String())
	require.NoError(c.t, err)
}

// machines are the NutanixMachines of the cluster.
func (c *cluster) machines() []infrav1.NutanixMachine {
	c.t.Helper()
	list := &infrav1.NutanixMachineList{}
	require.NoError(c.t, world.Env.Client.List(c.ctx, list, client.InNamespace(c.Namespace)))
	return list.Items
}

// workers are the NutanixMachines of the cluster that are not part of its control plane.
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

// vms are the virtual machines of the cluster in Prism Central.
func (c *cluster) vms() []prismsim.VM {
	var vms []prismsim.VM
	for _, vm := range world.Prism.VMs() {
		if stack.BelongsTo(vm, c.Name) {
			vms = append(vms, vm)
		}
	}
	return vms
}

// patch changes an object of the cluster with a merge patch in JSON.
func (c *cluster) patch(object client.Object, name, patch string) {
	c.t.Helper()
	object.SetNamespace(c.Namespace)
	object.SetName(name)
	require.NoError(c.t, world.Env.Client.Patch(c.ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// until waits for something that a NutanixMachine or NutanixCluster says in a condition: its reason, and a part of its
// message.
func (c *cluster) until(what string, objects func() []conditionsOf, conditionType, reason, part string) {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, what, func(context.Context) (bool, string, error) {
		seen := "nothing"
		for _, object := range objects() {
			condition := conditions.Get(object, conditionType)
			if condition == nil {
				continue
			}
			seen = condition.Reason + ": " + condition.Message
			if condition.Reason == reason && strings.Contains(condition.Message, part) {
				say(c.t, "%s says %s=%s %s: %s", object.GetName(), conditionType, condition.Status, reason, condition.Message)
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

func (c *cluster) itself() []conditionsOf {
	object := &infrav1.NutanixCluster{}
	if err := world.Env.Client.Get(c.ctx, c.key(), object); err != nil {
		return nil
	}
	return []conditionsOf{object}
}

// plansClean proves for one machine of each shape, which is a template in a failure domain, that Terraform finds nothing to change.
func (c *cluster) plansClean() {
	c.t.Helper()
	shapes := map[string]bool{}
	for _, machine := range c.machines() {
		shape := machine.Annotations[clusterv1.TemplateClonedFromNameAnnotation] + " " + machine.Status.FailureDomain
		if shapes[shape] {
			continue
		}
		shapes[shape] = true
		require.NoError(c.t, world.PlanClean(c.ctx, &machine))
	}
	require.NotEmpty(c.t, shapes)
	say(c.t, "terraform plan: No changes, for machines of %d shapes", len(shapes))
}

// remove deletes the namespace with everything in it and proves that nothing is left anywhere.
func (c *cluster) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.ctx = ctx
	c.removeKeepingNamespace()
	if c.Namespace == corev1.NamespaceDefault {
		return
	}
	namespace := &corev1.Namespace{}
	namespace.Name = c.Namespace
	require.NoError(c.t, client.IgnoreNotFound(world.Env.Client.Delete(ctx, namespace)))
	c.must(world.Env.WaitForGone(ctx, namespace))
}

func (c *cluster) removeKeepingNamespace() {
	c.t.Helper()
	assert.NoError(c.t, nothingSwitchedOff())
	object := &clusterv1.Cluster{}
	object.Namespace, object.Name = c.Namespace, c.Name
	require.NoError(c.t, client.IgnoreNotFound(world.Env.Client.Delete(c.ctx, object)))
	c.must(world.Env.WaitForGone(c.ctx, object))
	c.deleteApplied()
	c.nothingLeft()
}

// deleteApplied deletes, in one breath, all that was applied, but for the namespace.
func (c *cluster) deleteApplied() {
	c.t.Helper()
	for _, object := range c.applied {
		if object.GetKind() != "Namespace" {
			require.NoError(c.t, client.IgnoreNotFound(world.Env.Client.Delete(c.ctx, object)))
		}
	}
}

// nothingLeft proves that a deleted cluster left nothing behind.
func (c *cluster) nothingLeft() {
	c.t.Helper()
	c.must(world.Env.Wait(c.ctx, "nothing of "+c.Name+" to be left", func(ctx context.Context) (bool, string, error) {
		left, err := world.LeftoversOf(ctx, c.Namespace, c.Name)
		return len(left) == 0, strings.Join(left, ", "), err
	}))
	say(c.t, "deleted, nothing is left")
}
