package guest

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/internal/providerid"
)

const (
	kubeletPort = 10250
	// fallbackVersion is the kubelet version if neither VersionFor nor the cluster's configuration specifies a version.
	fallbackVersion = "v1.36.3"

	controlPlaneLabel  = "node-role.kubernetes.io/control-plane"
	excludeFromLBLabel = "node.kubernetes.io/exclude-from-external-load-balancers"
	// cloudTaint is the taint that a kubelet with --cloud-provider=external sets and the cloud controller manager removes.
	cloudTaint = "node.cloudprovider.kubernetes.io/uninitialized"
)

// bootWorker registers the Node through the cluster's endpoint.
func (g *guest) bootWorker(ctx context.Context) error {
	if err := g.register(ctx, "https://"+g.cluster.endpoint); err != nil {
		return err
	}
	g.setJoined()
	return nil
}

func (g *guest) setJoined() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.joined = true
}

// register starts the kubelet's server and creates the Node through the API server at url. For a control plane,
// register also creates the mirror Pods of the static Pods.
func (g *guest) register(ctx context.Context, url string) error {
	ip, err := g.ip()
	if err != nil {
		return err
	}
	if err := g.serveKubelet(ip); err != nil {
		return err
	}
	admin, err := g.cluster.client(url)
	if err != nil {
		return err
	}
	node := g.node()
	if err := retry(ctx, "registering Node "+node.Name, func(ctx context.Context) error { return g.applyNode(ctx, admin, node) }); err != nil {
		return err
	}
	if g.config.keys != nil {
		if err := g.mirrorStaticPods(ctx, admin); err != nil {
			return err
		}
	}
	g.log.Info("node is registered", "node", node.Name, "version", node.Status.NodeInfo.KubeletVersion)
	return nil
}

// applyNode creates the Node if it does not exist, and patches its status. The patch contains no resourceVersion,
// because Cluster API may change the Node at the same time.
func (g *guest) applyNode(ctx context.Context, admin client.Client, node *corev1.Node) error {
	err := admin.Create(ctx, node.DeepCopy())
	if client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	base := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name}}
	changed := base.DeepCopy()
	changed.Status = node.Status
	return admin.Status().Patch(ctx, changed, client.MergeFrom(base))
}

// node returns the Node as the kubelet of this guest registers it.
func (g *guest) node() *corev1.Node {
	k := g.config
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.nodeName, Labels: map[string]string{
			corev1.LabelHostname: k.nodeName, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
		}},
		Spec: corev1.NodeSpec{Taints: k.taints},
	}
	for label := range strings.SplitSeq(k.kubeletArguments["node-labels"], ",") {
		if name, value, ok := strings.Cut(label, "="); ok {
			node.Labels[name] = value
		}
	}
	if k.keys != nil {
		node.Labels[controlPlaneLabel], node.Labels[excludeFromLBLabel] = "", ""
	}
	switch {
	case g.hypervisor.options.ProviderID:
		node.Spec.ProviderID = providerid.Format(g.vm.UUID)
	case g.external():
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: cloudTaint, Value: "true", Effect: corev1.TaintEffectNoSchedule})
	}
	node.Status = g.nodeStatus()
	return node
}

// external reports whether the Node must be initialized by a cloud controller manager.
func (g *guest) external() bool {
	return !g.hypervisor.options.ProviderID && g.config.kubeletArguments["cloud-provider"] == "external"
}

func (g *guest) nodeStatus() corev1.NodeStatus {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(max(1, g.vm.Sockets*g.vm.VCPUsPerSocket)), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(g.vm.MemoryMiB<<20, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
	}
	status := corev1.NodeStatus{
		Capacity: resources, Allocatable: resources,
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
		NodeInfo: corev1.NodeSystemInfo{
			MachineID: strings.ReplaceAll(g.vm.UUID, "-", ""), SystemUUID: g.vm.UUID, BootID: g.vm.UUID,
			OperatingSystem: "linux", Architecture: runtime.GOARCH, OSImage: "simulated", KernelVersion: "simulated",
			ContainerRuntimeVersion: "simulated://1", KubeletVersion: g.version,
		},
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: g.config.nodeName}},
	}
	for _, nic := range g.vm.NICs {
		if g.external() {
			break // a kubelet leaves these addresses to the cloud controller manager
		}
		for _, ip := range nic.IPs {
			status.Addresses = append(status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
		}
	}
	for kind, value := range map[corev1.NodeConditionType]corev1.ConditionStatus{
		corev1.NodeReady: corev1.ConditionTrue, corev1.NodeMemoryPressure: corev1.ConditionFalse,
		corev1.NodeDiskPressure: corev1.ConditionFalse, corev1.NodePIDPressure: corev1.ConditionFalse,
	} {
		status.Conditions = append(status.Conditions, condition(kind, value, "KubeletSimulated", "the simulated kubelet is running"))
	}
	return status
}

func condition(kind corev1.NodeConditionType, value corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
	now := metav1.Now()
	return corev1.NodeCondition{
		Type: kind, Status: value, Reason: reason, Message: message, LastHeartbeatTime: now, LastTransitionTime: now,
	}
}

// configure reads the Kubernetes version of the guest and further settings from the cluster.
func (g *guest) configure(ctx context.Context) error {
	k := g.config
	if g.version != "" {
		return nil // after a restart, the disk contains the configuration, and the bootstrap token may have expired
	}
	config := k.cluster
	if !k.initialize {
		var err error
		if config, err = g.cluster.download(ctx, k.token); err != nil {
			return err
		}
	}
	g.services, g.version = config.Networking.ServiceSubnet, config.KubernetesVersion
	if lookup := g.hypervisor.options.VersionFor; lookup != nil {
		if version := lookup(ctx, g.vm); version != "" {
			g.version = version
		}
	}
	if g.version == "" {
		g.version = fallbackVersion
	}
	return nil
}

// lost performs the task of the node lifecycle controller after a guest was powered off. When the grace period has
// passed and the guest is still off, lost sets the Ready condition of the Node to Unknown.
func (c *cluster) lost(g *guest, node string) {
	h := c.hypervisor
	if h.ctx.Err() != nil {
		return
	}
	h.wg.Go(func() {
		timer := time.NewTimer(h.options.MonitorGrace)
		defer timer.Stop()
		select {
		case <-h.ctx.Done():
			return
		case <-timer.C:
		}
		err := retry(h.ctx, "marking the Node as unknown", func(ctx context.Context) error {
			admin := c.administrator()
			if admin == nil || g.state().On {
				return nil
			}
			return markUnknown(ctx, admin, node)
		})
		if err != nil && h.ctx.Err() == nil {
			h.options.Log.Info("node could not be marked as unknown", "node", node, "reason", err.Error())
		}
	})
}

// markUnknown sets all conditions of the Node to Unknown. It returns an error if the Node has changed in the meantime,
// because the guest may have been powered on again.
func markUnknown(ctx context.Context, admin client.Client, name string) error {
	var node corev1.Node
	if err := admin.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("reading Node %s: %w", name, err)
	}
	base := node.DeepCopy()
	for i := range node.Status.Conditions {
		node.Status.Conditions[i] = condition(node.Status.Conditions[i].Type, corev1.ConditionUnknown,
			"NodeStatusUnknown", "Kubelet stopped posting node status.")
	}
	return admin.Status().Patch(ctx, &node, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
}

// runs reports whether the guest of the given Node is on.
func (h *Hypervisor) runs(node string) bool {
	for _, s := range h.States() {
		if s.Node == node && s.On && s.Joined {
			return true
		}
	}
	return false
}

func joinHostPort(ip string, port int) string { return net.JoinHostPort(ip, fmt.Sprint(port)) }
