package guest

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mirrorAnnotation is the annotation of a Pod that mirrors a static Pod. A Pod with this annotation needs no
// ServiceAccount and is not evicted by a drain.
const mirrorAnnotation = corev1.MirrorPodAnnotationKey

// mirrorStaticPods creates the mirror Pods that a kubelet creates for kubeadm's static Pod manifests.
func (g *guest) mirrorStaticPods(ctx context.Context, admin client.Client) error {
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		pod := g.staticPod(component)
		err := retry(ctx, "creating Pod "+pod.Name, func(ctx context.Context) error {
			if err := client.IgnoreAlreadyExists(admin.Create(ctx, pod.DeepCopy())); err != nil {
				return err
			}
			return setRunning(ctx, admin, pod)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *guest) staticPod(component string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceSystem, Name: component + "-" + g.config.nodeName,
			Labels:      map[string]string{"component": component, "tier": "control-plane"},
			Annotations: map[string]string{mirrorAnnotation: "simulated"},
		},
		Spec: corev1.PodSpec{
			NodeName: g.config.nodeName, HostNetwork: true,
			Containers: []corev1.Container{{Name: component, Image: component + ":" + g.version}},
		},
	}
}

// setRunning sets the phase of a Pod to Running and its Ready condition to True.
func setRunning(ctx context.Context, admin client.Client, pod *corev1.Pod) error {
	base := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	changed, now := base.DeepCopy(), metav1.Now()
	changed.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		changed.Status.Conditions = append(changed.Status.Conditions, corev1.PodCondition{
			Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now,
		})
	}
	for _, container := range pod.Spec.Containers {
		changed.Status.ContainerStatuses = append(changed.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return admin.Status().Patch(ctx, changed, client.MergeFrom(base))
}

// podsRetry is the pause before Pods are watched again after the watch has failed.
const podsRetry = time.Second

// servePods performs the tasks of the kubelets of all Nodes in the cluster. It reports Pods that are assigned to a Node
// as running, and removes Pods that are deleted or evicted. A drain would never complete if nobody removed these Pods.
func (c *cluster) servePods(ctx context.Context, admin client.WithWatch) {
	for ctx.Err() == nil {
		if err := c.watchPods(ctx, admin); err != nil && ctx.Err() == nil {
			c.hypervisor.options.Log.V(1).Info("watching Pods", "endpoint", c.endpoint, "reason", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(podsRetry):
		}
	}
}

func (c *cluster) watchPods(ctx context.Context, admin client.WithWatch) error {
	var pods corev1.PodList
	if err := admin.List(ctx, &pods); err != nil {
		return fmt.Errorf("listing Pods: %w", err)
	}
	for i := range pods.Items {
		if err := c.servePod(ctx, admin, &pods.Items[i]); err != nil {
			return err
		}
	}
	changes, err := admin.Watch(ctx, &corev1.PodList{}, &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: pods.ResourceVersion},
	})
	if err != nil {
		return fmt.Errorf("watching Pods: %w", err)
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		pod, ok := change.Object.(*corev1.Pod)
		if !ok {
			return fmt.Errorf("watching Pods: %v", change.Object)
		}
		if err := c.servePod(ctx, admin, pod); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) servePod(ctx context.Context, admin client.Client, pod *corev1.Pod) error {
	if pod.Spec.NodeName == "" || pod.Annotations[mirrorAnnotation] != "" || !c.hypervisor.runs(pod.Spec.NodeName) {
		return nil
	}
	var err error
	switch {
	case !pod.DeletionTimestamp.IsZero():
		err = admin.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	case pod.Status.Phase == corev1.PodPending:
		err = setRunning(ctx, admin, pod)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("updating Pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
