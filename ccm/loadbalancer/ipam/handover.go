package ipam

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cloud-provider/api"
)

// retryDelay is how soon a Service that was changed meanwhile is read again.
const retryDelay = 2 * time.Second

// handOver makes the announcer's annotation be that one; "" is none. What a person wrote since the Service was read is not
// overwritten: then it is an api.RetryError, and the Service is to be read again.
func (b *Backend) handOver(ctx context.Context, a announcer, service *corev1.Service, value string) error {
	if service.Annotations[a.annotation] == value {
		return nil
	}
	now, err := b.Client.CoreV1().Services(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading Service %s/%s: %w", service.Namespace, service.Name, err)
	}
	if now.UID != service.UID || now.Annotations[a.annotation] != service.Annotations[a.annotation] && now.Annotations[a.annotation] != value {
		return fmt.Errorf("handing over an address: %w", api.NewRetryError("the Service was changed meanwhile", retryDelay))
	}
	return b.annotate(ctx, now, a.annotation, value)
}

// Withdraw removes the announcer's annotation if it is about an address that is reserved for the Service, so that nobody
// announces it when it belongs to somebody else.
func (b *Backend) Withdraw(ctx context.Context, service *corev1.Service) error {
	c := b.Config()
	has, err := b.find(ctx, b.owner(c, service))
	if err != nil || len(has) == 0 {
		return err
	}
	a := announcerOf(*c.LoadBalancer.IPAM)
	now, err := b.Client.CoreV1().Services(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && now.UID != service.UID {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Service %s/%s: %w", service.Namespace, service.Name, err)
	}
	announced := now.Annotations[a.annotation]
	if !slices.ContainsFunc(has, func(p place) bool { return p.address.String() == announced }) {
		return nil
	}
	return b.annotate(ctx, now, a.annotation, "")
}

// annotate patches one annotation of that Service and no other of its name. It goes through the subresource status, so that
// the cloud controller manager needs no right to change Services.
func (b *Backend) annotate(ctx context.Context, service *corev1.Service, name, value string) error {
	annotations := map[string]any{name: nil}
	if value != "" {
		annotations[name] = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": service.UID, "annotations": annotations}})
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	_, err = b.Client.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("writing annotation %s of Service %s/%s: %w", name, service.Namespace, service.Name, err)
	}
	return nil
}
