package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// refreshLabels makes the labels of an initialized node say where its virtual machine is now, which the framework does not do.
// It never fails: what is wrong is told once, and tried again at the next refresh.
//
// The topology labels follow a live migration to another Prism Element too. Kubernetes lets everybody assume that they never
// change, but a node that claims its former zone misleads more: pods whose volumes are in the new zone are kept off, and those
// whose volumes are in the former one are sent to it. Running pods are not touched. An unknown zone or region changes nothing,
// and no label is ever removed.
func (i *Instances) refreshLabels(ctx context.Context, node *corev1.Node, extra map[string]string, where place) {
	changes := map[string]string{}
	for key, value := range wanted(extra, where) {
		if present, ok := node.Labels[key]; !ok || present != value {
			changes[key] = value
		}
	}
	if len(changes) == 0 {
		return
	}
	text := describeChanges(node.Labels, changes)
	if err := i.patchLabels(ctx, node, changes); err != nil {
		klog.FromContext(ctx).Error(err, "Updating labels", "node", node.Name, "labels", text)
		if i.told.isNews(message{node.UID, ReasonLabelsFailed, text}) {
			i.Events.Eventf(node, corev1.EventTypeWarning, ReasonLabelsFailed, "%s: %v", text, err)
		}
		return
	}
	i.Events.Event(node, corev1.EventTypeNormal, ReasonLabels, text)
}

// wanted are all labels that are kept up to date. The framework keeps the deprecated ones equal to the others when it sees them
// differ; setting both spares it a request.
func wanted(extra map[string]string, where place) map[string]string {
	labels := maps.Clone(extra)
	if where == (place{}) {
		return labels
	}
	labels[corev1.LabelTopologyZone], labels[corev1.LabelFailureDomainBetaZone] = where.Zone, where.Zone
	labels[corev1.LabelTopologyRegion], labels[corev1.LabelFailureDomainBetaRegion] = where.Region, where.Region
	return labels
}

// patchLabels names the UID, so that a Node of the same name that was made meanwhile is not meant.
func (i *Instances) patchLabels(ctx context.Context, node *corev1.Node, labels map[string]string) error {
	patch, err := json.Marshal(map[string]any{"metadata": metav1.ObjectMeta{UID: node.UID, Labels: labels}})
	if err != nil {
		return fmt.Errorf("encoding labels: %w", err)
	}
	_, err = i.Client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// describeChanges is for people: "key: old -> new" in the order of keys.
func describeChanges(present, changes map[string]string) string {
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if old, ok := present[key]; ok {
			texts = append(texts, fmt.Sprintf("%s: %s -> %s", key, old, changes[key]))
		} else {
			texts = append(texts, fmt.Sprintf("%s: %s", key, changes[key]))
		}
	}
	return strings.Join(texts, ", ")
}
