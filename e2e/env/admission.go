package env

import (
	"fmt"

	bootstrapadmission "sigs.k8s.io/cluster-api/bootstrap/kubeadm/webhooks/admission"
	controlplaneadmission "sigs.k8s.io/cluster-api/controlplane/kubeadm/webhooks/admission"
	coreadmission "sigs.k8s.io/cluster-api/core/webhooks/admission"
	ctrl "sigs.k8s.io/controller-runtime"
)

// setupAdmission registers all webhooks in Cluster API's manifests, including conversion webhooks. If a webhook were
// not served, the API server would reject every write of its kind.
func setupAdmission(mgr ctrl.Manager, workloads coreadmission.ClusterCacheReader) error {
	c, live := mgr.GetClient(), mgr.GetAPIReader()
	for _, kind := range []interface{ SetupWebhookWithManager(ctrl.Manager) error }{
		&coreadmission.Cluster{Client: c, ClusterCacheReader: workloads},
		&coreadmission.ClusterClass{Client: c},
		&coreadmission.Machine{},
		&coreadmission.MachineSet{},
		&coreadmission.MachineDeployment{},
		&coreadmission.MachineDrainRule{},
		&coreadmission.MachineHealthCheck{},
		&coreadmission.MachinePool{},
		&coreadmission.ClusterResourceSet{},
		&coreadmission.ClusterResourceSetBinding{},
		&coreadmission.ExtensionConfig{},
		&coreadmission.IPAddress{Client: live},
		&coreadmission.IPAddressClaim{},
		&bootstrapadmission.KubeadmConfig{},
		&bootstrapadmission.KubeadmConfigTemplate{},
		&controlplaneadmission.KubeadmControlPlane{},
		&controlplaneadmission.KubeadmControlPlaneTemplate{},
		&controlplaneadmission.ScaleValidator{Client: c},
	} {
		if err := kind.SetupWebhookWithManager(mgr); err != nil {
			return fmt.Errorf("serving webhook %T: %w", kind, err)
		}
	}
	return nil
}
