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
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// keptAfter is how many times in a row Prism Central may fail to delete a category value before CAPNT keeps the value. The retries
// take about two minutes. By then Prism Central has noticed that the VMs of the cluster are deleted.
const keptAfter = 6

// shared lists the resources that a destroy leaves in Prism Central because others may use them. These are the category key, which
// all clusters share, and the category value if another Cluster of the same name marks its machines with it.
func (r *Reconciler) shared(ctx context.Context, s *scope) ([]string, error) {
	addresses := []string{renderer.CategoryKeyAddress}
	other, err := r.clusterOfSameName(ctx, s)
	if err != nil || other == "" {
		return addresses, err
	}
	return append(addresses, renderer.CategoryValueAddress), nil
}

// clusterOfSameName returns a Cluster of the same name in another namespace that uses the same Prism Central, or an empty string.
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

// prismCentralOf returns the address of a cluster's Prism Central. Two host names of one Prism Central count as two Prism
// Centrals. In that case usersOfCategory still finds the VMs of the other cluster.
func prismCentralOf(cluster *infrav1.NutanixCluster) string {
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", strings.ToLower(endpoint.Address), cmp.Or(endpoint.Port, infrav1.DefaultPrismPort))
}

// usersOfCategory returns why the category value of a cluster without machines has to stay, or an empty string. Prism Central
// refuses to delete a value that an entity carries. The entity may belong to a cluster that this manager does not manage.
func (r *Reconciler) usersOfCategory(ctx context.Context, s *scope) (string, error) {
	other, err := r.clusterOfSameName(ctx, s)
	if err != nil {
		return "", err
	}
	if other != "" {
		return "NutanixCluster " + other + " uses it", nil
	}
	if refusal := r.refusals.kept(s.nutanixCluster); refusal != "" {
		return "Prism Central does not delete it: " + refusal, nil
	}
	vms, err := s.access.Client.VMsOfCategory(ctx, infrav1.CategoryKey, s.cluster.Name)
	if forbidden(err) {
		return "", nil // the deletion of the value shows whether it is in use
	} else if err != nil {
		return "", fmt.Errorf("listing virtual machines that carry the category of the cluster: %w", err)
	}
	for _, listed := range vms {
		used, err := carries(ctx, s, listed.UUID)
		if err != nil {
			return "", err
		}
		if used {
			return fmt.Sprintf("virtual machine %s (%s) carries it", listed.Name, listed.UUID), nil
		}
	}
	return "", nil
}

// carries reports whether a VM carries the category value of the cluster. It reads the VM because a list lags behind and may
// contain a VM that was just deleted.
func carries(ctx context.Context, s *scope, vmUUID string) (bool, error) {
	vm, err := s.access.Client.VM(ctx, vmUUID)
	var notFound *prism.NotFoundError
	switch {
	case errors.As(err, &notFound), forbidden(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading virtual machine %s, which carries the category of the cluster: %w", vmUUID, err)
	}
	return slices.Contains(vm.CategoryValues[infrav1.CategoryKey], s.cluster.Name) && !strings.HasPrefix(vm.State, "DELETE"), nil
}

// forbidden reports whether the account lacks the right to read an entity.
func forbidden(err error) bool {
	var refused *prism.AuthenticationError
	return errors.As(err, &refused) && refused.Status == http.StatusForbidden
}

// refusals records, by UID of a NutanixCluster, why Prism Central did not delete its category value, once the deletion has failed
// keptAfter times. A new process tries again.
type refusals struct{ reasons sync.Map }

// note records the failure of a destroy plan once it has failed keptAfter times.
func (r *refusals) note(cluster *infrav1.NutanixCluster, result lifecycle.Result) {
	if result.DestroyFailures >= keptAfter && result.ApplyFailed() {
		r.reasons.Store(cluster.UID, result.Err.Error())
	}
}

// kept returns why the category value is kept, or an empty string.
func (r *refusals) kept(cluster *infrav1.NutanixCluster) string {
	reason, _ := r.reasons.Load(cluster.UID)
	text, _ := reason.(string)
	return text
}

func (r *refusals) forget(cluster *infrav1.NutanixCluster) { r.reasons.Delete(cluster.UID) }
