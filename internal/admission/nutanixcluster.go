package admission

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixcluster,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclusters,versions=v1beta1,name=default.nutanixcluster.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixcluster,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixclusters,versions=v1beta1,name=validation.nutanixcluster.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

type clusterWebhook struct{ manager manager }

func setupCluster(mgr ctrl.Manager, manager manager) error {
	webhook := clusterWebhook{manager}
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixCluster{}).WithDefaulter(webhook).WithValidator(webhook).Complete()
}

// Default implements admission.Defaulter.
func (w clusterWebhook) Default(ctx context.Context, cluster *infrav1.NutanixCluster) error {
	cluster.Spec.Default()
	old := &infrav1.NutanixCluster{}
	return w.manager.stampAuthor(ctx, cluster, old, func() bool {
		old.Spec.Default()
		return !equality.Semantic.DeepEqual(old.Spec, cluster.Spec)
	})
}

// ValidateCreate implements admission.Validator.
func (clusterWebhook) ValidateCreate(_ context.Context, cluster *infrav1.NutanixCluster) (admission.Warnings, error) {
	return warnOfTrustBundle(cluster), invalid("NutanixCluster", cluster, cluster.Validate())
}

func warnOfTrustBundle(cluster *infrav1.NutanixCluster) admission.Warnings {
	elsewhere := cluster.TrustBundleElsewhere()
	if elsewhere == "" {
		return nil
	}
	return admission.Warnings{fmt.Sprintf(
		"spec.prismCentral.additionalTrustBundle.namespace: ConfigMap %s is only read: it gets no finalizer, and clusterctl move does not move it", elsewhere)}
}

// ValidateUpdate implements admission.Validator.
func (w clusterWebhook) ValidateUpdate(ctx context.Context, old, cluster *infrav1.NutanixCluster) (admission.Warnings, error) {
	if err := w.manager.validateRecords(ctx, "NutanixCluster", old, cluster); err != nil {
		return nil, err
	}
	if deleting(cluster) {
		return nil, nil
	}
	warnings := warnOfTrustBundle(cluster)
	if cluster.PrismAddressChanged(old) {
		warnings = append(warnings, fmt.Sprintf("spec.prismCentral.address: %s must be the same Prism Central as %s: machines whose VMs it does not have are reported as lost",
			cluster.Spec.PrismCentral.Address, old.Spec.PrismCentral.Address))
	}
	for _, name := range cluster.EditedFailureDomains(old) {
		warnings = append(warnings, fmt.Sprintf("spec.failureDomains: the change of %s counts for new machines; machines that exist stay where they are", name))
	}
	return warnings, invalid("NutanixCluster", cluster, append(cluster.ValidateUpdate(old), newErrors(old.Validate(), cluster.Validate())...))
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (clusterWebhook) ValidateDelete(context.Context, *infrav1.NutanixCluster) (admission.Warnings, error) {
	return nil, nil
}
