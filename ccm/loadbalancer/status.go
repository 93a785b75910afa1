package loadbalancer

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	servicehelper "k8s.io/cloud-provider/service/helpers"
)

// without gives the Service as it is when the pieces are gone: what they put into its status is not in it any more. The
// Service itself is not changed.
func without(service *corev1.Service, pieces []piece) *corev1.Service {
	left := slices.DeleteFunc(slices.Clone(service.Status.LoadBalancer.Ingress), func(i corev1.LoadBalancerIngress) bool {
		return slices.ContainsFunc(pieces, func(p piece) bool { return p.gives(i) })
	})
	if len(left) == len(service.Status.LoadBalancer.Ingress) {
		return service
	}
	service = service.DeepCopy()
	service.Status.LoadBalancer.Ingress = left
	return service
}

func (p piece) gives(i corev1.LoadBalancerIngress) bool {
	return i.IP != "" && slices.ContainsFunc(p.status.Ingress, func(own corev1.LoadBalancerIngress) bool { return own.IP == i.IP })
}

// patchStatus makes the Service's status be that one and reports whether it was another. A Service that is gone needs none.
// The helper takes no context; the client's own timeout bounds it.
func patchStatus(client kubernetes.Interface, service *corev1.Service, status *corev1.LoadBalancerStatus) (changed bool, err error) {
	if servicehelper.LoadBalancerStatusEqual(&service.Status.LoadBalancer, status) {
		return false, nil
	}
	updated := service.DeepCopy()
	updated.Status.LoadBalancer = *status
	if _, err := servicehelper.PatchService(client.CoreV1(), service, updated); err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("writing the status of Service %s/%s: %w", service.Namespace, service.Name, err)
	}
	return true, nil
}

// setFinalizer adds or removes the finalizer that keeps a Service until its load balancer is gone.
func setFinalizer(ctx context.Context, client kubernetes.Interface, service *corev1.Service, present bool) error {
	if servicehelper.HasLBFinalizer(service) == present || ctx.Err() != nil {
		return ctx.Err()
	}
	updated := service.DeepCopy()
	if present {
		updated.Finalizers = append(updated.Finalizers, servicehelper.LoadBalancerCleanupFinalizer)
	} else {
		updated.Finalizers = slices.DeleteFunc(updated.Finalizers, func(name string) bool {
			return name == servicehelper.LoadBalancerCleanupFinalizer
		})
	}
	if _, err := servicehelper.PatchService(client.CoreV1(), service, updated); err != nil && (present || !apierrors.IsNotFound(err)) {
		return fmt.Errorf("writing the finalizer of Service %s/%s: %w", service.Namespace, service.Name, err)
	}
	return nil
}
