package env_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/guest"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/providerid"
)

// stub is an infrastructure provider that uses neither Prism Central nor Terraform. It reports clusters as provisioned
// and powers guests on and off directly.
type stub struct {
	client     client.Client
	hypervisor *guest.Hypervisor
	// network contains the first three numbers of the VMs' IPv4 addresses.
	network string

	mu  sync.Mutex
	vms map[string]prismsim.VM // by name of the NutanixMachine
}

func (s *stub) vm(name string) prismsim.VM {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vms[name]
}

// run reconciles all objects in a loop until ctx is cancelled.
func (s *stub) run(ctx context.Context, t *testing.T) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			t.Logf("stub infrastructure provider: %v", err)
		}
	}
}

func (s *stub) reconcile(ctx context.Context) error {
	var clusters infrav1.NutanixClusterList
	if err := s.client.List(ctx, &clusters); err != nil {
		return err
	}
	for i := range clusters.Items {
		if err := s.reconcileCluster(ctx, &clusters.Items[i]); err != nil {
			return err
		}
	}
	var machines infrav1.NutanixMachineList
	if err := s.client.List(ctx, &machines); err != nil {
		return err
	}
	for i := range machines.Items {
		if err := s.reconcileMachine(ctx, &machines.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *stub) reconcileCluster(ctx context.Context, c *infrav1.NutanixCluster) error {
	if !c.DeletionTimestamp.IsZero() || c.Status.Initialization.Provisioned != nil {
		return nil
	}
	before := c.DeepCopy()
	c.Status.Initialization.Provisioned = new(true)
	c.Status.Conditions = ready()
	return s.client.Status().Patch(ctx, c, client.MergeFrom(before))
}

func (s *stub) reconcileMachine(ctx context.Context, m *infrav1.NutanixMachine) error {
	if !m.DeletionTimestamp.IsZero() {
		s.hypervisor.PowerOff(s.vm(m.Name).UUID)
		before := m.DeepCopy()
		controllerutil.RemoveFinalizer(m, infrav1.NutanixMachineFinalizer)
		return client.IgnoreNotFound(s.client.Patch(ctx, m, client.MergeFrom(before)))
	}
	owner, err := util.GetOwnerMachine(ctx, s.client, m.ObjectMeta)
	if err != nil || owner == nil || owner.Spec.Bootstrap.DataSecretName == nil || s.vm(m.Name).UUID != "" {
		return err
	}
	var secret corev1.Secret
	if err := s.client.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: *owner.Spec.Bootstrap.DataSecretName}, &secret); err != nil {
		return err
	}
	vm := prismsim.VM{
		UUID: uuid.NewString(), Name: m.Name, Sockets: 2, VCPUsPerSocket: 1, MemoryMiB: 4096,
		NICs:     []prismsim.NIC{{IPs: []string{fmt.Sprintf("%s.%d", s.network, 10+len(s.vms))}}},
		UserData: secret.Data["value"], MetaData: fmt.Appendf(nil, `{"hostname": %q}`, m.Name),
	}
	s.mu.Lock()
	s.vms[m.Name] = vm
	s.mu.Unlock()
	s.hypervisor.PowerOn(vm)
	return s.publish(ctx, m, vm)
}

func (s *stub) publish(ctx context.Context, m *infrav1.NutanixMachine, vm prismsim.VM) error {
	before := m.DeepCopy()
	controllerutil.AddFinalizer(m, infrav1.NutanixMachineFinalizer)
	m.Spec.ProviderID = providerid.Format(vm.UUID)
	if err := s.client.Patch(ctx, m, client.MergeFrom(before)); err != nil {
		return err
	}
	before = m.DeepCopy()
	m.Status.Initialization.Provisioned = new(true)
	m.Status.Conditions = ready()
	m.Status.Addresses = []clusterv1.MachineAddress{{Type: clusterv1.MachineInternalIP, Address: vm.NICs[0].IPs[0]}}
	return s.client.Status().Patch(ctx, m, client.MergeFrom(before))
}

func ready() []metav1.Condition {
	return []metav1.Condition{{
		Type: clusterv1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Stub", LastTransitionTime: metav1.Now(),
	}}
}
