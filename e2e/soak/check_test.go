package soak

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/providerid"
)

// notReady describes the machines that are not Ready or whose VM does not have the categories. If all
// machines are Ready with the categories, it returns an empty string.
func (h *harness) notReady(ctx context.Context, categories map[string]string) string {
	machines, err := h.nutanixMachines(ctx)
	if err != nil {
		return err.Error()
	}
	vms := h.vms()
	var missing []string
	for _, name := range h.machines {
		machine, found := machines[name]
		ready := conditions.Get(&machine, clusterv1.ReadyCondition)
		switch {
		case !found:
			missing = append(missing, name+" does not exist")
		case ready == nil:
			missing = append(missing, name+" has no condition")
		case ready.Status != metav1.ConditionTrue || ready.ObservedGeneration < machine.Generation:
			missing = append(missing, fmt.Sprintf("%s: %s %s", name, ready.Reason, ready.Message))
		case !has(vms[name], categories):
			missing = append(missing, fmt.Sprintf("%s has VMs %v without categories %v", name, vms[name], categories))
		}
	}
	return strings.Join(missing, "; ")
}

func has(vms []prismsim.VM, categories map[string]string) bool {
	return !slices.ContainsFunc(vms, func(vm prismsim.VM) bool {
		for key, value := range categories {
			if vm.Categories[key] != value {
				return true
			}
		}
		return false
	})
}

// notDeleted describes the machines that still exist. If no machine exists, it returns an empty string.
func (h *harness) notDeleted(ctx context.Context) string {
	var left []string
	for _, name := range h.machines {
		for _, object := range []client.Object{&clusterv1.Machine{ObjectMeta: named(name)}, &infrav1.NutanixMachine{ObjectMeta: named(name)}} {
			if exists := h.exists(ctx, object); exists != "" {
				left = append(left, exists)
			}
		}
	}
	return strings.Join(left, "; ")
}

// exists describes the object and its conditions. If the object does not exist, it returns an empty string.
func (h *harness) exists(ctx context.Context, object client.Object) string {
	err := h.Env.Client.Get(ctx, client.ObjectKeyFromObject(object), object)
	switch {
	case apierrors.IsNotFound(err):
		return ""
	case err != nil:
		return err.Error()
	}
	text := fmt.Sprintf("%T %s exists", object, object.GetName())
	if getter, ok := object.(conditions.Getter); ok {
		if ready := conditions.Get(getter, clusterv1.ReadyCondition); ready != nil {
			text += fmt.Sprintf(" (%s: %s)", ready.Reason, ready.Message)
		}
	}
	return text
}

func (h *harness) nutanixMachines(ctx context.Context) (map[string]infrav1.NutanixMachine, error) {
	list := &infrav1.NutanixMachineList{}
	if err := h.Env.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	machines := map[string]infrav1.NutanixMachine{}
	for _, machine := range list.Items {
		machines[machine.Name] = machine
	}
	return machines, nil
}

// vms returns the VMs in Prism Central, grouped by name. Several VMs can have the same name.
func (h *harness) vms() map[string][]prismsim.VM {
	vms := map[string][]prismsim.VM{}
	for _, vm := range h.Prism.VMs() {
		vms[vm.Name] = append(vms[vm.Name], vm)
	}
	return vms
}

// vmUUIDs returns the UUIDs of the VMs in Prism Central by VM name. The UUIDs of VMs with the same name are joined.
func (h *harness) vmUUIDs() map[string]string {
	uuids := map[string]string{}
	for name, vms := range h.vms() {
		for _, vm := range vms {
			uuids[name] += vm.UUID
		}
	}
	return uuids
}

// requireVMs requires that Prism Central contains exactly one VM for each machine, and that the machine and its
// Terraform state refer to that VM. It also requires that no request that could harm a VM was sent to Prism Central.
func (h *harness) requireVMs(categories map[string]string) {
	h.t.Helper()
	ctx := context.Background()
	machines, err := h.nutanixMachines(ctx)
	require.NoError(h.t, err)
	states, err := h.states(ctx)
	require.NoError(h.t, err)
	vms := h.vms()
	for _, name := range h.machines {
		machine := machines[name]
		if !assert.Len(h.t, vms[name], 1, "VMs of %s", name) {
			continue
		}
		vm := vms[name][0]
		known, _ := providerid.Parse(machine.Spec.ProviderID)
		assert.Equal(h.t, vm.UUID, known, "spec.providerID of %s", name)
		assert.Equal(h.t, vm.UUID, machine.Status.VMUUID, "status.vmUUID of %s", name)
		assert.Equal(h.t, []string{vm.UUID}, states[name], "VMs in the state of %s", name)
		assert.Equal(h.t, "ON", vm.PowerState, name)
		assert.Equal(h.t, "COMPLETE", vm.State, name)
		assert.Contains(h.t, vm.Description, provisioning.WorkspaceKey(&machine), name)
		assert.Equal(h.t, clusterName, vm.Categories[infrav1.CategoryKey], name)
		assert.True(h.t, has(vms[name], categories), "categories of %s: %v", name, vm.Categories)
	}
	assert.Len(h.t, vms, len(h.machines), "names of VMs")
	assert.Len(h.t, states, len(h.machines), "states with a VM")
	_, violations := h.interceptor.results()
	assert.Empty(h.t, violations)
	if h.t.Failed() {
		h.fail("Prism Central does not have exactly the wanted VMs")
	}
}

// states returns the UUIDs of the VMs in all Terraform states, grouped by the name of the VM.
func (h *harness) states(ctx context.Context) (map[string][]string, error) {
	secrets := &corev1.SecretList{}
	if err := h.Env.Client.List(ctx, secrets, client.InNamespace(namespace), client.MatchingLabels{"tfstate": "true"}); err != nil {
		return nil, err
	}
	states := map[string][]string{}
	for _, secret := range secrets.Items {
		var state struct {
			Resources []struct {
				Type      string `json:"type"`
				Mode      string `json:"mode"`
				Instances []struct {
					Attributes struct {
						ID   string `json:"id"`
						Name string `json:"name"`
					} `json:"attributes"`
				} `json:"instances"`
			} `json:"resources"`
		}
		reader, err := gzip.NewReader(bytes.NewReader(secret.Data["tfstate"]))
		if err == nil {
			err = json.NewDecoder(reader).Decode(&state)
		}
		if err != nil {
			return nil, fmt.Errorf("reading state %s: %w", secret.Name, err)
		}
		for _, resource := range state.Resources {
			for _, instance := range resource.Instances {
				if strings.HasPrefix(resource.Type, "nutanix_virtual_machine") && resource.Mode == "managed" {
					states[instance.Attributes.Name] = append(states[instance.Attributes.Name], instance.Attributes.ID)
				}
			}
		}
	}
	return states, nil
}

// leftOfMachines lists the entities and objects that deleted machines have left in Prism Central and in the cluster. It
// does not list the category value and the state of the NutanixCluster, which still exists.
func (h *harness) leftOfMachines(ctx context.Context) ([]string, error) {
	all, err := h.LeftoversOf(ctx, namespace, clusterName)
	return slices.DeleteFunc(all, func(left string) bool {
		return strings.HasPrefix(left, "category value ") || strings.HasSuffix(left, "-cluster")
	}), err
}

// requireNothingLeft waits until list returns nothing, and requires that Prism Central contains no VMs.
func (h *harness) requireNothingLeft(what string, list func(context.Context) ([]string, error)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), phaseBase)
	defer cancel()
	err := h.Env.Wait(ctx, "nothing of "+what+" to be left", func(ctx context.Context) (bool, string, error) {
		left, err := list(ctx)
		return len(left) == 0, strings.Join(left, ", "), err
	})
	if err != nil {
		h.fail("%v", err)
	}
	require.Empty(h.t, h.Prism.VMs())
}
