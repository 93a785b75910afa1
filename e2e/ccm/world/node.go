package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// uninitialized is the taint of a Node that no cloud controller manager has seen.
const uninitialized = "node.cloudprovider.kubernetes.io/uninitialized"

// Register creates the Node as the kubelet of a virtual machine does with --cloud-provider=external: with the taint and
// its system UUID, without provider ID and cloud addresses. It is ready.
func (w *World) Register(name, systemUUID string) {
	w.t.Helper()
	w.RegisterWith(name, systemUUID, nil)
}

// RegisterWith is Register with annotations that a kubelet sets for flags it was given.
func (w *World) RegisterWith(name, systemUUID string, annotations map[string]string) {
	w.t.Helper()
	nodes := w.Kube.CoreV1().Nodes()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
		}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: uninitialized, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			NodeInfo:   corev1.NodeSystemInfo{SystemUUID: systemUUID, KubeletVersion: "v1.36.3", OperatingSystem: "linux", Architecture: "amd64"},
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}},
			Conditions: []corev1.NodeCondition{readiness(true)},
		},
	}
	_, err := nodes.Create(w.ctx(), node, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

// SetReady lets the kubelet's heartbeat go on, or stop: that is when a manager asks whether the machine still exists.
func (w *World) SetReady(name string, ready bool) {
	w.t.Helper()
	w.editNode(name, true, func(node *corev1.Node) {
		for i := range node.Status.Conditions {
			if node.Status.Conditions[i].Type == corev1.NodeReady {
				node.Status.Conditions[i] = readiness(ready)
			}
		}
	})
}

// EditNode changes metadata or spec of a Node.
func (w *World) EditNode(name string, change func(*corev1.Node)) {
	w.t.Helper()
	w.editNode(name, false, change)
}

func (w *World) editNode(name string, status bool, change func(*corev1.Node)) {
	nodes := w.Kube.CoreV1().Nodes()
	w.t.Helper()
	w.persist("Node "+name+" to be changed", func() error {
		node, err := nodes.Get(w.ctx(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(node)
		if status {
			_, err = nodes.UpdateStatus(w.ctx(), node, metav1.UpdateOptions{})
		} else {
			_, err = nodes.Update(w.ctx(), node, metav1.UpdateOptions{})
		}
		return err
	})
}

func readiness(ready bool) corev1.NodeCondition {
	now := metav1.Now()
	c := corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status",
		LastHeartbeatTime: now, LastTransitionTime: now,
	}
	if !ready {
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
	}
	return c
}

// Node reads a Node that exists.
func (w *World) Node(name string) *corev1.Node {
	w.t.Helper()
	node, err := w.Kube.CoreV1().Nodes().Get(w.ctx(), name, metav1.GetOptions{})
	require.NoError(w.t, err)
	return node
}

// NodeNames are all Nodes that exist.
func (w *World) NodeNames() []string {
	w.t.Helper()
	nodes, err := w.Kube.CoreV1().Nodes().List(w.ctx(), metav1.ListOptions{})
	require.NoError(w.t, err)
	names := make([]string, 0, len(nodes.Items))
	for i := range nodes.Items {
		names = append(names, nodes.Items[i].Name)
	}
	return names
}

// NodesStay checks for so many monitor periods that exactly these Nodes exist.
func (w *World) NodesStay(periods int, names ...string) {
	w.t.Helper()
	slices.Sort(names)
	w.Throughout(periods, func() string {
		now := w.NodeNames()
		slices.Sort(now)
		if !slices.Equal(now, names) {
			return fmt.Sprintf("the Nodes are %v instead of %v", now, names)
		}
		return ""
	})
}

// Initialised waits until the manager has initialised the Node, and gives it.
func (w *World) Initialised(name string) *corev1.Node {
	w.t.Helper()
	return w.NodeUntil(name, "to be initialised", func(node *corev1.Node) string {
		switch {
		case HasTaint(node, uninitialized):
			return "it has the taint " + uninitialized
		case len(Addresses(node, corev1.NodeInternalIP)) == 0:
			return "it has no address" // follows the removal of the taint
		default:
			return ""
		}
	})
}

// Uninitialised says how many Nodes are not initialised; it is empty when all are.
func (w *World) Uninitialised() (missing string) {
	w.t.Helper()
	nodes, err := w.Kube.CoreV1().Nodes().List(w.ctx(), metav1.ListOptions{})
	require.NoError(w.t, err)
	left := 0
	for i := range nodes.Items {
		if HasTaint(&nodes.Items[i], uninitialized) || len(Addresses(&nodes.Items[i], corev1.NodeInternalIP)) == 0 {
			left++
		}
	}
	if left == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d are not", left, len(nodes.Items))
}

// NodeUntil waits until nothing is missing of a Node, and gives it.
func (w *World) NodeUntil(name, what string, check func(*corev1.Node) (missing string)) *corev1.Node {
	w.t.Helper()
	var node *corev1.Node
	w.Until("Node "+name+" "+what, func() string {
		var err error
		if node, err = w.Kube.CoreV1().Nodes().Get(w.ctx(), name, metav1.GetOptions{}); err != nil {
			return err.Error()
		}
		return check(node)
	})
	return node
}

// NodeGone waits until the Node is deleted.
func (w *World) NodeGone(name string) {
	w.t.Helper()
	w.Until("Node "+name+" to be gone", func() string {
		_, err := w.Kube.CoreV1().Nodes().Get(w.ctx(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is there (%v)", err)
	})
}

// Addresses are those of one type, in the Node's order.
func Addresses(node *corev1.Node, kind corev1.NodeAddressType) []string {
	var out []string
	for _, address := range node.Status.Addresses {
		if address.Type == kind {
			out = append(out, address.Address)
		}
	}
	return out
}

// HasTaint tells whether a Node has a taint with that key.
func HasTaint(node *corev1.Node, key string) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == key {
			return true
		}
	}
	return false
}

// Events are the reasons and messages of an object's Events, oldest first, "Reason: message".
func (w *World) Events(namespace, name string) []string {
	w.t.Helper()
	list, err := w.Kube.CoreV1().Events(namespace).List(w.ctx(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + name})
	require.NoError(w.t, err)
	out := make([]string, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, list.Items[i].Reason+": "+list.Items[i].Message)
	}
	return out
}

// EventUntil waits for an Event of an object whose text contains all of the words.
func (w *World) EventUntil(namespace, name string, words ...string) string {
	w.t.Helper()
	found := ""
	w.Until(fmt.Sprintf("an Event of %s with %q", name, words), func() string {
		events := w.Events(namespace, name)
		for _, event := range events {
			if containsAll(event, words) {
				found = event
				return ""
			}
		}
		return fmt.Sprintf("only %q", events)
	})
	return found
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
