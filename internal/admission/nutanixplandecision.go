package admission

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// +kubebuilder:webhook:verbs=create;update,path=/mutate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixplandecision,mutating=true,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixplandecisions,versions=v1beta1,name=default.nutanixplandecision.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1
// +kubebuilder:webhook:verbs=create;update,path=/validate-infrastructure-cluster-x-k8s-io-v1beta1-nutanixplandecision,mutating=false,failurePolicy=fail,sideEffects=None,matchPolicy=Equivalent,groups=infrastructure.cluster.x-k8s.io,resources=nutanixplandecisions;nutanixplandecisions/status,versions=v1beta1,name=validation.nutanixplandecision.infrastructure.cluster.x-k8s.io,admissionReviewVersions=v1

const (
	// verbApprove is the RBAC verb on nutanixplans that the creator of a decision needs.
	verbApprove = "approve"

	// approverRole is the ClusterRole that contains verbApprove.
	approverRole = "capnt-plan-approver"
)

// decisionWebhook records who made a decision and checks that this user may decide.
type decisionWebhook struct {
	manager manager
	// client creates SubjectAccessReviews.
	client client.Client
	// plans reads NutanixPlans of all namespaces. It is not a cache, because the cache of the manager may be limited to a namespace.
	plans client.Reader
}

func setupDecision(mgr ctrl.Manager, manager manager) error {
	webhook := decisionWebhook{manager: manager, client: mgr.GetClient(), plans: mgr.GetAPIReader()}
	return ctrl.NewWebhookManagedBy(mgr, &infrav1.NutanixPlanDecision{}).WithDefaulter(webhook).WithValidator(webhook).Complete()
}

// Default implements admission.Defaulter. It sets decidedBy and other fields when a decision is created, and keeps their values afterwards.
func (w decisionWebhook) Default(ctx context.Context, decision *infrav1.NutanixPlanDecision) error {
	request, err := requestOf(ctx)
	if err != nil {
		return err
	}
	if request.Operation == admissionv1.Create {
		controllerutil.AddFinalizer(decision, infrav1.NutanixPlanDecisionFinalizer)
		decision.Spec.Default(infrav1.NewPlanDecider(request.UserInfo.Username, request.UserInfo.Groups, time.Now()))
		return nil
	}
	old := &infrav1.NutanixPlanDecision{}
	if err := readOld(request, old); err != nil {
		return err
	}
	decision.Spec.Keep(old.Spec)
	return nil
}

// ValidateCreate implements admission.Validator.
func (w decisionWebhook) ValidateCreate(ctx context.Context, decision *infrav1.NutanixPlanDecision) (admission.Warnings, error) {
	request, err := requestOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.mayApprove(ctx, request, decision); err != nil {
		return nil, err
	}
	if by := decision.Spec.DecidedBy; by == nil || by.Username != request.UserInfo.Username || decision.Spec.ExpiresAt == nil {
		return nil, forbidDecision(decision, fmt.Errorf("spec.decidedBy is not user %q: install the webhook "+
			"default.nutanixplandecision.%s, and let no other webhook change this field", request.UserInfo.Username, infrav1.GroupVersion.Group))
	}
	now := time.Now()
	errs := decision.Spec.Validate(now)
	if len(decision.Spec.Classes) > 0 {
		plans := &infrav1.NutanixPlanList{}
		if err := w.plans.List(ctx, plans, client.InNamespace(request.Namespace)); err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("looking for plans of spec.classes in namespace %s: %w", request.Namespace, err))
		}
		errs = append(errs, decision.Spec.ValidateClasses(plans.Items)...)
	}
	return warnOfExpiry(decision, now), invalid("NutanixPlanDecision", decision, errs)
}

// warnOfExpiry returns a warning for a decision that never applies. Such a decision is not refused, because a decision that is committed to
// Git stays there after it has expired, and a refusal would keep a GitOps controller from applying the rest to a new management cluster.
func warnOfExpiry(decision *infrav1.NutanixPlanDecision, now time.Time) admission.Warnings {
	if !decision.Spec.Expired(now) {
		return nil
	}
	return admission.Warnings{fmt.Sprintf("spec.expiresAt: %s is in the past: the decision has no effect",
		decision.Spec.ExpiresAt.UTC().Format(time.RFC3339))}
}

// mayApprove checks with the authorizers of the API server that the user may approve plans in the namespace.
func (w decisionWebhook) mayApprove(ctx context.Context, request admission.Request, decision *infrav1.NutanixPlanDecision) error {
	user := request.UserInfo
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: request.Namespace, Verb: verbApprove, Group: infrav1.GroupVersion.Group, Resource: "nutanixplans",
		},
	}}
	for key, value := range user.Extra {
		review.Spec.Extra[key] = authorizationv1.ExtraValue(value)
	}
	if err := w.client.Create(ctx, review); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("checking whether user %q may approve plans in namespace %s: %w", user.Username, request.Namespace, err))
	}
	if review.Status.Allowed {
		return nil
	}
	return forbidDecision(decision, fmt.Errorf("user %q cannot %s resource \"nutanixplans\" in API group %q in the namespace %q: "+
		"bind the user to ClusterRole %s with a RoleBinding in this namespace", user.Username, verbApprove, infrav1.GroupVersion.Group, request.Namespace, approverRole))
}

// ValidateUpdate implements admission.Validator. The schema makes the spec immutable.
func (w decisionWebhook) ValidateUpdate(ctx context.Context, old, decision *infrav1.NutanixPlanDecision) (admission.Warnings, error) {
	request, err := requestOf(ctx)
	if err != nil || w.manager.sent(request) {
		return nil, err
	}
	if request.SubResource != "" || !slices.Equal(ownFinalizers(old), ownFinalizers(decision)) {
		return nil, forbidDecision(decision, fmt.Errorf("only the manager, user %q, writes the status and the %s finalizers of a decision: "+
			"delete the decision to revoke it", w.manager, domain))
	}
	return nil, nil
}

// ValidateDelete implements admission.Validator. The webhook is not registered for deletes.
func (decisionWebhook) ValidateDelete(context.Context, *infrav1.NutanixPlanDecision) (admission.Warnings, error) {
	return nil, nil
}

func forbidDecision(decision *infrav1.NutanixPlanDecision, err error) error {
	resource := infrav1.GroupVersion.WithResource("nutanixplandecisions").GroupResource()
	return apierrors.NewForbidden(resource, decision.Name, err)
}
