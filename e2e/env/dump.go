package env

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// Dump writes the conditions of all objects of Cluster API and its providers, and then all Events, for the error
// message of a failed test. It does not write the contents of the objects, because they may contain secrets.
func (e *Environment) Dump(ctx context.Context, w io.Writer) error {
	kinds, err := e.clusterAPIKinds()
	problems := []error{err}
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := e.Client.List(ctx, list); err != nil {
			problems = append(problems, fmt.Errorf("listing %s: %w", kind.Kind, err))
			continue
		}
		for i := range list.Items {
			dumpObject(w, &list.Items[i])
		}
	}
	problems = append(problems, e.dumpEvents(ctx, w))
	return errors.Join(problems...)
}

// clusterAPIGroup is the suffix of the names of all API groups of Cluster API and its providers.
var clusterAPIGroup = clusterv1.GroupVersion.Group

// clusterAPIKinds returns the kinds of Cluster API and its providers in their preferred versions, sorted by name.
func (e *Environment) clusterAPIKinds() ([]schema.GroupVersionKind, error) {
	found, err := discovery.NewDiscoveryClientForConfig(e.config)
	if err != nil {
		return nil, fmt.Errorf("discovering kinds: %w", err)
	}
	resources, err := found.ServerPreferredResources()
	var kinds []schema.GroupVersionKind
	for _, list := range resources {
		version, parseErr := schema.ParseGroupVersion(list.GroupVersion)
		if parseErr != nil || !strings.HasSuffix(version.Group, clusterAPIGroup) {
			continue
		}
		for _, resource := range list.APIResources {
			kinds = append(kinds, version.WithKind(resource.Kind))
		}
	}
	slices.SortFunc(kinds, func(a, b schema.GroupVersionKind) int { return cmp.Compare(a.Kind, b.Kind) })
	return kinds, err
}

func dumpObject(w io.Writer, object *unstructured.Unstructured) {
	_, _ = fmt.Fprintf(w, "%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
	if deleted := object.GetDeletionTimestamp(); deleted != nil {
		_, _ = fmt.Fprintf(w, " (deleted %s ago, finalizers %v)", time.Since(deleted.Time).Round(time.Second), object.GetFinalizers())
	}
	_, _ = fmt.Fprintln(w)
	for _, condition := range conditionsOf(object) {
		_, _ = fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(describe(condition), "\n", "\n      "))
	}
}

func (e *Environment) dumpEvents(ctx context.Context, w io.Writer) error {
	var events corev1.EventList
	if err := e.Client.List(ctx, &events); err != nil {
		return fmt.Errorf("listing Events: %w", err)
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	for _, event := range events.Items {
		_, _ = fmt.Fprintf(w, "%s %s %s %s/%s: %s (x%d)\n", eventTime(event).Format(time.TimeOnly), event.Type, event.Reason,
			event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message, max(1, event.Count))
	}
	return nil
}

func eventTime(event corev1.Event) time.Time {
	return slices.MaxFunc([]time.Time{event.LastTimestamp.Time, event.EventTime.Time, event.CreationTimestamp.Time}, time.Time.Compare)
}

// MachineVersion returns the Kubernetes version ("v1.36.3") of the Machine whose infrastructure machine has the given
// name. If there is no such Machine, it returns an empty string. It is used for guest.Options.VersionFor, because a VM
// has the same name as its infrastructure machine and the image of a real VM contains the kubelet of the Machine's
// version.
func (e *Environment) MachineVersion(ctx context.Context, name string) string {
	var machines clusterv1.MachineList
	for e.Client.List(ctx, &machines) != nil {
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(minPause):
		}
	}
	for _, machine := range machines.Items {
		if machine.Spec.InfrastructureRef.Name == name || machine.Name == name {
			return machine.Spec.Version
		}
	}
	return ""
}
