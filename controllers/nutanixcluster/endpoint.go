package nutanixcluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// requireEndpoint waits until the NutanixCluster or the Cluster has a control plane endpoint. If only the Cluster
// has one, requireEndpoint copies it to the NutanixCluster.
func (r *Reconciler) requireEndpoint(_ context.Context, s *scope) (ctrl.Result, error) {
	endpoint := &s.nutanixCluster.Spec.ControlPlaneEndpoint
	if fromCluster := s.cluster.Spec.ControlPlaneEndpoint; !endpoint.IsSet() && fromCluster.IsValid() {
		*endpoint = infrav1.APIEndpoint(fromCluster)
	}
	if !endpoint.IsSet() {
		return s.stop(infrav1.ControlPlaneEndpointSetCondition, &provisioning.Problem{
			Reason:  infrav1.ControlPlaneEndpointMissingReason,
			Message: "spec.controlPlaneEndpoint has no host and port: set it to the address that kube-vip or a load balancer serves, for example 10.0.0.100 and 6443",
		})
	}
	provisioning.Set(s.nutanixCluster, infrav1.ControlPlaneEndpointSetCondition, metav1.ConditionTrue, infrav1.ControlPlaneEndpointSetReason, "")
	return ctrl.Result{}, nil
}
