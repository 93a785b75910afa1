package installation

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// cluster is a cluster of one installation of CAPNT. It has no control plane; see stack.BareCluster.
type cluster struct {
	stack.BareCluster
	t      *testing.T
	ctx    context.Context //nolint:containedctx // the life of the test
	client client.Client
}

// newCluster creates a cluster in its own namespace. The client in determines the installation.
func newCluster(t *testing.T, in client.Client, name string, terraform *infrav1.TerraformSpec) *cluster {
	t.Helper()
	c := describeCluster(t, in, name, terraform)
	c.create(c.Objects()...)
	return c
}

// describeCluster returns a cluster as newCluster does, but does not create its objects.
func describeCluster(t *testing.T, in client.Client, name string, terraform *infrav1.TerraformSpec) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	host, port, err := net.SplitHostPort(testStack.Prism.Address())
	require.NoError(t, err)
	number, err := strconv.ParseInt(port, 10, 32)
	require.NoError(t, err)
	return &cluster{t: t, ctx: ctx, client: in, BareCluster: stack.BareCluster{
		Namespace: name, Name: name, Address: host, Port: int32(number), TrustBundle: string(testStack.Prism.CABundle()),
		Credentials: testStack.Options().Credentials, Terraform: terraform,
	}}
}

func (c *cluster) create(objects ...client.Object) {
	c.t.Helper()
	for _, object := range objects {
		require.NoError(c.t, c.client.Create(c.ctx, object), object.GetName())
	}
}

// createMachine creates a Machine and a NutanixMachine. The NutanixMachine has the annotations.
func (c *cluster) createMachine(name string, annotations map[string]string) {
	c.t.Helper()
	infrastructure, machine := c.Machine(name)
	infrastructure.Annotations = annotations
	c.create(infrastructure, machine)
}

func (c *cluster) machine(name string) *infrav1.NutanixMachine {
	c.t.Helper()
	machine := &infrav1.NutanixMachine{}
	require.NoError(c.t, c.client.Get(c.ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, machine))
	return machine
}

func (c *cluster) nutanixCluster() *infrav1.NutanixCluster {
	c.t.Helper()
	object := &infrav1.NutanixCluster{}
	require.NoError(c.t, c.client.Get(c.ctx, client.ObjectKey{Namespace: c.Namespace, Name: c.Name}, object))
	return object
}

// patch applies a JSON merge patch to an object of the cluster.
func (c *cluster) patch(object client.Object, name, patch string) {
	c.t.Helper()
	object.SetNamespace(c.Namespace)
	object.SetName(name)
	require.NoError(c.t, c.client.Patch(c.ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// waitFor waits until check returns done. If the wait times out, waitFor logs the objects and logs of the first
// installation and fails the test.
func (c *cluster) waitFor(what string, check func() (done bool, progress string)) {
	c.t.Helper()
	err := testStack.Env.Wait(c.ctx, what, func(context.Context) (bool, string, error) {
		done, progress := check()
		return done, progress, nil
	})
	if err != nil {
		c.t.Log(testStack.Explanation())
	}
	require.NoError(c.t, err)
}

// waitForCondition waits until the machine's condition of the type conditionType has the status and the reason, and was
// observed at the machine's current generation. An empty reason matches every reason.
func (c *cluster) waitForCondition(name, conditionType string, status metav1.ConditionStatus, reason string) {
	c.t.Helper()
	c.waitFor(fmt.Sprintf("%s of %s to be %s %s", conditionType, name, status, reason), func() (bool, string) {
		machine := c.machine(name)
		condition := conditions.Get(machine, conditionType)
		if condition == nil {
			return false, "no condition"
		}
		done := condition.Status == status && condition.ObservedGeneration == machine.Generation && (reason == "" || condition.Reason == reason)
		return done, fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message)
	})
}

// waitForReady waits until the machine is Ready and the category Environment of its VM has the value environment. It
// returns the VM.
func (c *cluster) waitForReady(name, environment string) prismsim.VM {
	c.t.Helper()
	var vm prismsim.VM
	c.waitForCondition(name, infrav1.ReadyCondition, metav1.ConditionTrue, "")
	c.waitFor("the category of "+name, func() (bool, string) {
		vms := vmsOf(name)
		require.Len(c.t, vms, 1)
		vm = vms[0]
		return vm.Categories["Environment"] == environment, vm.Categories["Environment"]
	})
	return vm
}

// editCategory sets the category Environment in the spec of a machine, so that its VM needs an update.
func (c *cluster) editCategory(name, environment string) {
	c.t.Helper()
	c.patch(&infrav1.NutanixMachine{}, name, fmt.Sprintf(`{"spec":{"additionalCategories":[{"key":"Environment","value":%q}]}}`, environment))
}

// delete deletes objects of the cluster and waits until the API server no longer has them.
func (c *cluster) delete(objects ...client.Object) {
	c.t.Helper()
	for _, object := range objects {
		require.NoError(c.t, c.client.Delete(c.ctx, object))
	}
	for _, object := range objects {
		c.waitFor(object.GetName()+" to be gone", func() (bool, string) {
			err := c.client.Get(c.ctx, client.ObjectKeyFromObject(object), object)
			if client.IgnoreNotFound(err) != nil {
				return false, err.Error()
			}
			return err != nil, fmt.Sprint(object.GetFinalizers())
		})
	}
}

func (c *cluster) deleteMachine(name string) {
	c.t.Helper()
	c.delete(&clusterv1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: name}})
}

func (c *cluster) deleteCluster() {
	c.t.Helper()
	c.delete(&clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}})
}

// vmsOf returns the VMs with the given name.
func vmsOf(name string) []prismsim.VM {
	var vms []prismsim.VM
	for _, vm := range testStack.Prism.VMs() {
		if vm.Name == name {
			vms = append(vms, vm)
		}
	}
	return vms
}

// secondInstallation starts another management cluster in a separate process and returns a client for the management
// cluster. The process ends when the test ends.
func secondInstallation(t *testing.T) client.Client {
	t.Helper()
	made, _ := secondInstallationAt(t)
	return made
}

// secondInstallationAt starts another management cluster like secondInstallation. It also returns the path of an administrator's kubeconfig.
func secondInstallationAt(t *testing.T) (client.Client, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "capnt-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	program, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(program)
	command.Env = append(os.Environ(), served+"="+dir)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "management", "capnt-manager.log"))
			t.Logf("log of the second manager:\n%s", log)
		}
		require.NoError(t, input.Close())
		require.NoError(t, command.Wait())
	})
	kubeconfig, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err, "the second installation did not start")
	kubeconfig = strings.TrimSpace(kubeconfig)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	made, err := client.New(config, client.Options{Scheme: env.NewScheme()})
	require.NoError(t, err)
	return made, kubeconfig
}
