package nutanixcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// keptAfter is the number of consecutive failed deletions after which CAPNT keeps a category value. The retries take
// about two minutes. After that time Prism Central no longer counts the deleted VMs of the cluster as users of the
// value.
const keptAfter = 6

// shared lists the resources that a destroy leaves in Prism Central because other clusters may use them. The category key of the v3 API is
// always in the list, because all clusters share it. The category is in the list if another Cluster with the same name uses it for its
// machines. The list contains the resources of both APIs, because a migration that was interrupted leaves either in the state.
func (r *Reconciler) shared(ctx context.Context, s *scope) ([]string, error) {
	addresses := []string{renderer.CategoryKeyAddress}
	other, err := r.clusterOfSameName(ctx, s)
	if err != nil || other == "" {
		return addresses, err
	}
	return append(addresses, valueAddresses...), nil
}

func usesV4(cluster *infrav1.NutanixCluster) bool {
	return provisioning.RecordedAPI(cluster) == renderer.APIV4
}

// valueAddresses are the addresses of the resources whose destruction removes the value of the category.
var valueAddresses = []string{renderer.CategoryValueAddress, renderer.CategoryAddressV4}

// clusterOfSameName returns a Cluster that has the same name, is in another namespace and uses the same Prism Central.
// It returns an empty string if there is no such Cluster.
func (r *Reconciler) clusterOfSameName(ctx context.Context, s *scope) (string, error) {
	clusters := &infrav1.NutanixClusterList{}
	if err := r.Client.List(ctx, clusters, client.MatchingLabels{clusterv1.ClusterNameLabel: s.cluster.Name}); err != nil {
		return "", fmt.Errorf("listing clusters of the same name: %w", err)
	}
	for i := range clusters.Items {
		other := &clusters.Items[i]
		if other.UID != s.nutanixCluster.UID && other.DeletionTimestamp.IsZero() && prismCentralOf(other) == prismCentralOf(s.nutanixCluster) {
			return client.ObjectKeyFromObject(other).String(), nil
		}
	}
	return "", nil
}

// prismCentralOf returns the address of a cluster's Prism Central. clusterOfSameName compares these addresses. Two
// clusters may use different host names for the same Prism Central, so clusterOfSameName may miss a cluster with the
// same name. usersOfCategory then still finds the VMs of that cluster.
func prismCentralOf(cluster *infrav1.NutanixCluster) string {
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", strings.ToLower(endpoint.Address), cmp.Or(endpoint.Port, infrav1.DefaultPrismPort))
}

// usersOfCategory returns the reason why the category value of a cluster without machines has to stay, or an empty
// string. Prism Central does not delete a category value that is assigned to an entity. The entity may belong to a
// cluster of another manager.
func (r *Reconciler) usersOfCategory(ctx context.Context, s *scope) (string, error) {
	other, err := r.clusterOfSameName(ctx, s)
	if err != nil {
		return "", err
	}
	if other != "" {
		return "NutanixCluster " + other + " uses it", nil
	}
	return r.usersOf(ctx, s, infrav1.CategoryKey, s.cluster.Name)
}

// usersOf returns the reason why Prism Central does not delete a category, or an empty string. The reason is an earlier refusal or a VM.
func (r *Reconciler) usersOf(ctx context.Context, s *scope, key, value string) (string, error) {
	if refusal := r.refusals.kept(s.nutanixCluster); refusal != "" {
		return "Prism Central does not delete it: " + refusal, nil
	}
	vms, err := s.access.Client.VMsOfCategory(ctx, key, value)
	if forbidden(err) {
		return "", nil // the deletion request shows whether the category is in use
	} else if err != nil {
		return "", fmt.Errorf("listing virtual machines that carry category %s=%s of the cluster: %w", key, value, err)
	}
	for _, listed := range vms {
		used, err := carries(ctx, s, listed.UUID, key, value)
		if err != nil {
			return "", err
		}
		if used {
			return fmt.Sprintf("virtual machine %s (%s) carries it", listed.Name, listed.UUID), nil
		}
	}
	return "", nil
}

// carries reports whether a category is assigned to a VM. It reads the VM instead of a list, because a stale list may contain a VM that was
// just deleted.
func carries(ctx context.Context, s *scope, vmUUID, key, value string) (bool, error) {
	vm, err := s.access.Client.VM(ctx, vmUUID)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound), forbidden(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading virtual machine %s, which carries category %s=%s of the cluster: %w", vmUUID, key, value, err)
	}
	return slices.Contains(vm.CategoryValues[key], value) && !strings.HasPrefix(vm.State, "DELETE"), nil
}

// forbidden reports whether err means that the account has no permission to read an entity.
func forbidden(err error) bool {
	var refused *prism.AuthenticationError
	return errors.As(err, &refused) && refused.Status == http.StatusForbidden
}

// refusals stores, by the UID of a NutanixCluster, the reason why Prism Central did not delete the category value. It
// has an entry only after the deletion has failed keptAfter times. The entries are lost on a restart, so a new process
// tries to delete the value again.
type refusals struct{ reasons sync.Map }

// note stores the failure of a destroy plan after the plan has failed keptAfter times.
func (r *refusals) note(cluster *infrav1.NutanixCluster, result lifecycle.Result) {
	if result.DestroyFailures >= keptAfter && result.ApplyFailed() {
		r.reasons.Store(cluster.UID, result.Err.Error())
	}
}

// kept returns the reason why the category value is kept, or an empty string.
func (r *refusals) kept(cluster *infrav1.NutanixCluster) string {
	reason, _ := r.reasons.Load(cluster.UID)
	text, _ := reason.(string)
	return text
}

func (r *refusals) forget(cluster *infrav1.NutanixCluster) { r.reasons.Delete(cluster.UID) }
