package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// LeftoversOf lists what a deleted cluster left behind: virtual machines and category value in Prism Central, Terraform
// states and locks in the namespace. It is empty when all is gone.
func (s *Stack) LeftoversOf(ctx context.Context, namespace, cluster string) ([]string, error) {
	var left []string
	for _, vm := range s.Prism.VMs() {
		if vm.Categories[infrav1.CategoryKey] == cluster {
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
	leases := &coordinationv1.LeaseList{}
	if err := s.Env.Client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing Terraform locks: %w", err)
	}
	for i := range leases.Items {
		if strings.HasPrefix(leases.Items[i].Name, "lock-tfstate") {
			left = append(left, "Terraform lock "+leases.Items[i].Name)
		}
	}
	return left, nil
}

// LeftOnMachine lists what runs and guests have on this machine: directories of runs and processes of guests. It is empty
// when no cluster is left and nothing is being done.
func (s *Stack) LeftOnMachine() ([]string, error) {
	var left []string
	// The manager has a private directory in the scratch directory, and in it one for each run.
	runs, err := filepath.Glob(filepath.Join(s.Env.ScratchDir(), "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("looking for directories of runs: %w", err)
	}
	for _, run := range runs {
		if info, err := os.Stat(run); err == nil && info.IsDir() {
			left = append(left, "directory of a run "+filepath.Base(run))
		}
	}
	for _, process := range s.Guests.Processes() {
		left = append(left, "process "+process)
	}
	return left, nil
}
