package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
)

// LeftoversOf lists everything that a deleted cluster has left behind: virtual machines and the category value in Prism
// Central, Terraform states and locks, plan files, and objects that installed addons. If nothing is left, the list is empty.
func (s *Stack) LeftoversOf(ctx context.Context, namespace, cluster string) ([]string, error) {
	var left []string
	for _, vm := range s.Prism.VMs() {
		if BelongsTo(vm, cluster) {
			left = append(left, "virtual machine "+vm.Name)
		}
	}
	if slices.Contains(s.Prism.CategoryValues(infrav1.CategoryKey), cluster) {
		left = append(left, "category value "+infrav1.CategoryKey+"="+cluster)
	}
	secrets := &corev1.SecretList{}
	if err := s.Env.Client.List(ctx, secrets, client.InNamespace(namespace), client.MatchingLabels{"tfstate": "true"}); err != nil {
		return nil, fmt.Errorf("listing Terraform states: %w", err)
	}
	for i := range secrets.Items {
		left = append(left, "Terraform state "+secrets.Items[i].Name)
	}
	files := &corev1.SecretList{}
	if err := s.Env.Client.List(ctx, files, client.InNamespace(namespace), client.HasLabels{infrav1.PlanFileLabel}); err != nil {
		return nil, fmt.Errorf("listing plan files: %w", err)
	}
	for i := range files.Items {
		left = append(left, "plan file "+files.Items[i].Name)
	}
	leases := &coordinationv1.LeaseList{}
	if err := s.Env.Client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing Terraform locks: %w", err)
	}
	for i := range leases.Items {
		if strings.HasPrefix(leases.Items[i].Name, "lock-tfstate") {
			left = append(left, "Terraform lock "+leases.Items[i].Name)
		}
	}
	addons, err := s.addonsOf(ctx, namespace, cluster)
	return append(left, addons...), err
}

// BelongsTo reports whether a virtual machine is part of a cluster. It recognizes the virtual machine by its category
// or, because the category may be missing, by the cluster's name at the start of its own name.
func BelongsTo(vm prismsim.VM, cluster string) bool {
	return vm.Categories[infrav1.CategoryKey] == cluster || strings.HasPrefix(vm.Name, cluster+"-")
}

// addonsOf lists the objects with which cluster templates install addons in the cluster.
func (s *Stack) addonsOf(ctx context.Context, namespace, cluster string) ([]string, error) {
	var found []string
	for _, addon := range []string{ccmAddon, csiAddon} {
		for _, object := range []client.Object{&addonsv1.ClusterResourceSet{}, &corev1.ConfigMap{}, &corev1.Secret{}} {
			err := s.Env.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: cluster + addon}, object)
			if client.IgnoreNotFound(err) != nil {
				return nil, fmt.Errorf("looking for addons: %w", err)
			}
			if err == nil {
				found = append(found, fmt.Sprintf("%s %s", reflect.TypeOf(object).Elem().Name(), object.GetName()))
			}
		}
	}
	return found, nil
}

// LeftOnMachine lists run directories, processes of Terraform and its providers, and processes of guests on this
// machine. The list is empty if no cluster exists and no run is in progress.
func (s *Stack) LeftOnMachine() ([]string, error) {
	var left []string
	// The manager creates a private directory in the scratch directory, with one subdirectory for each run.
	runs, err := filepath.Glob(filepath.Join(s.Env.ScratchDir(), "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("looking for directories of runs: %w", err)
	}
	for _, run := range runs {
		if info, err := os.Stat(run); err == nil && info.IsDir() {
			left = append(left, "directory of a run "+filepath.Base(run))
		}
	}
	running, err := processesIn(s.Env.ScratchDir())
	if err != nil {
		return nil, err
	}
	left = append(left, running...)
	if s.Guests != nil {
		for _, process := range s.Guests.Processes() {
			left = append(left, "process "+process)
		}
	}
	return left, nil
}
