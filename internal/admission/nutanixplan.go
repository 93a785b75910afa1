package admission

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixplan,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixplans;nutanixplans/status,versions=v1beta1,name=validation.nutanixplan.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

// planWebhook lets only the manager create plans and write their content. Everybody with the permission may delete a plan: the manager then
// plans the change again.
type planWebhook struct{ manager manager }

func setupPlan(mgr ctrl.Manager, manager manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixPlan{}).WithValidator(planWebhook{manager}).Complete()
}

// ValidateCreate implements admission.Validator.
func (w planWebhook) ValidateCreate(ctx context.Context, plan *infrav1.NutanixPlan) (admission.Warnings, error) {
	request, err := requestOf(ctx)
	if err != nil || w.manager.sent(request) {
		return nil, err
	}
	return nil, w.forbidden(plan, "creates plans: change the object whose infrastructure should change, and the manager plans the change")
}

// ValidateUpdate implements admission.Validator. Other users may change the metadata that the manager does not use. The garbage collector,
// for example, removes its own finalizers.
func (w planWebhook) ValidateUpdate(ctx context.Context, old, plan *infrav1.NutanixPlan) (admission.Warnings, error) {
	request, err := requestOf(ctx)
	if err != nil || w.manager.sent(request) {
		return nil, err
	}
	if request.SubResource == "" && equality.Semantic.DeepEqual(old.Spec, plan.Spec) && !ownMetadataChanged(old, plan) {
		return nil, nil
	}
	return nil, w.forbidden(plan, "writes the spec, the status and the "+domain+" metadata of a plan: create a NutanixPlanDecision for "+
		old.Spec.ChangeDigest+" to approve or deny the plan, or delete it to have the change planned again")
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (planWebhook) ValidateDelete(context.Context, *infrav1.NutanixPlan) (admission.Warnings, error) {
	return nil, nil
}

func (w planWebhook) forbidden(plan *infrav1.NutanixPlan, rule string) error {
	resource := infrav1.GroupVersion.WithResource("nutanixplans").GroupResource()
	return apierrors.NewForbidden(resource, plan.Name, fmt.Errorf("only the manager, user %q, %s", w.manager, rule))
}
