package nutanixcluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/lifecycle"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// usersInterval is how often a cluster whose anti-affinity was switched off looks whether machines still have the category.
const usersInterval = 30 * time.Second

func wantsAntiAffinity(cluster *infrav1.NutanixCluster) bool {
	return cluster.Spec.ControlPlaneAntiAffinity == infrav1.AntiAffinityPreferred
}

// controlPlaneCategory returns the UUID of the category of the control plane, and whether Prism Central may have the category.
func controlPlaneCategory(cluster *infrav1.NutanixCluster) (uuid string, possible bool) {
	uuid, possible = cluster.Annotations[infrav1.ControlPlaneCategoryAnnotation]
	return uuid, possible
}

// controlPlaneInputs returns the inputs for the category of the control plane.
func controlPlaneInputs(cluster *infrav1.NutanixCluster, antiAffinity bool) *renderer.ControlPlane {
	return &renderer.ControlPlane{
		CategoryKey: infrav1.ControlPlaneCategoryKey, CategoryValue: provisioning.ControlPlaneCategoryValue(cluster), AntiAffinity: antiAffinity,
	}
}

// gatherControlPlane returns the inputs for the category of the control plane, or nil if the cluster needs none.
func (r *Reconciler) gatherControlPlane(ctx context.Context, s *scope, settings renderer.Settings) (*renderer.ControlPlane, error) {
	cluster := s.nutanixCluster
	deleting := !cluster.DeletionTimestamp.IsZero()
	_, possible := controlPlaneCategory(cluster)
	switch {
	case settings.API != renderer.APIV4 && wantsAntiAffinity(cluster) && !deleting:
		return nil, &provisioning.Problem{Reason: infrav1.InvalidSpecReason,
			Message: "spec.controlPlaneAntiAffinity needs the v4 API of Prism Central, and this cluster uses the v3 API: leave it out"}
	case settings.API != renderer.APIV4, !possible:
		return nil, nil
	case deleting, wantsAntiAffinity(cluster):
		return controlPlaneInputs(cluster, true), nil
	}
	found, err := s.findControlPlane(ctx)
	if err != nil {
		return nil, err
	}
	status := cmp.Or(cluster.Status.Terraform, &infrav1.TerraformStatus{})
	applied := cmp.Or(status.WorkspaceDigest, cluster.Annotations[infrav1.AppliedWorkspaceAnnotation])
	return s.withdrawControlPlane(settings, found, applied)
}

// controlPlane describes what Prism Central has for the control plane of a cluster whose anti-affinity was switched off.
type controlPlane struct{ category, policy, users bool }

func (s *scope) findControlPlane(ctx context.Context) (found controlPlane, err error) {
	client, value := s.access.Client, provisioning.ControlPlaneCategoryValue(s.nutanixCluster)
	known, _ := controlPlaneCategory(s.nutanixCluster)
	category := identity{client, infrav1.ControlPlaneCategoryKey, value}
	uuid, err := category.find(ctx, known)
	if err != nil || uuid == "" {
		return found, err
	}
	policies, err := category.policies(ctx, uuid)
	if err != nil {
		return found, fmt.Errorf("listing the anti-affinity policies of the control plane: %w", err)
	}
	vms, err := client.VMsOfCategory(ctx, infrav1.ControlPlaneCategoryKey, value)
	if err != nil {
		return found, fmt.Errorf("listing virtual machines that carry the category of the control plane: %w", err)
	}
	return controlPlane{category: true, policy: len(policies) > 0, users: len(vms) > 0}, nil
}

// withdrawControlPlane returns the inputs after which the anti-affinity is gone or closer to its end: first the policy is deleted, then the
// machines lose the category, and then the category is deleted. applied is the digest of the workspace that was applied last. If Prism Central
// has a category or a policy that was not applied, an interrupted run has created it, and it is imported before it is deleted.
func (s *scope) withdrawControlPlane(settings renderer.Settings, found controlPlane, applied string) (*renderer.ControlPlane, error) {
	withPolicy, withCategory := controlPlaneInputs(s.nutanixCluster, true), controlPlaneInputs(s.nutanixCluster, false)
	appliedPolicy, err := s.applied(settings, withPolicy, applied)
	if err != nil {
		return nil, err
	}
	appliedCategory, err := s.applied(settings, withCategory, applied)
	switch {
	case err != nil:
		return nil, err
	case !found.category:
		return nil, nil
	case found.policy && !appliedPolicy:
		return withPolicy, nil
	case found.users, !appliedPolicy && !appliedCategory:
		return withCategory, nil
	}
	return nil, nil
}

// applied reports whether the workspace with the inputs has the digest applied.
func (s *scope) applied(settings renderer.Settings, inputs *renderer.ControlPlane, applied string) (bool, error) {
	cluster := clusterInputs(s.cluster.Name)
	cluster.ControlPlane = inputs
	workspace, err := renderer.RenderCluster(settings, cluster)
	return workspace.Digest == applied, err
}

// recordAntiAffinity records that Prism Central may get the category of the control plane, before a run creates it.
func (s *scope) recordAntiAffinity() (recorded bool) {
	cluster := s.nutanixCluster
	if _, possible := controlPlaneCategory(cluster); possible || !usesV4(cluster) || !wantsAntiAffinity(cluster) || !cluster.DeletionTimestamp.IsZero() {
		return false
	}
	metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, infrav1.ControlPlaneCategoryAnnotation, "")
	return true
}

// publishControlPlane records the UUID of the category, which the machines need, when the workspace is in sync. It removes the record when
// the anti-affinity is withdrawn.
func (s *scope) publishControlPlane(ctx context.Context, result lifecycle.Result) error {
	cluster, inputs := s.nutanixCluster, s.controlPlane
	known, possible := controlPlaneCategory(cluster)
	switch {
	case !possible || result.State != lifecycle.InSync:
		return nil
	case inputs == nil:
		delete(cluster.Annotations, infrav1.ControlPlaneCategoryAnnotation)
		return nil
	case !wantsAntiAffinity(cluster):
		s.untilCheck = min(cmp.Or(s.untilCheck, usersInterval), usersInterval)
	}
	uuid := ""
	if output := result.Outputs[renderer.ControlPlaneCategoryOutput]; output != nil {
		if err := json.Unmarshal(output, &uuid); err != nil {
			return fmt.Errorf("reading output %s of the cluster's workspace: %w", renderer.ControlPlaneCategoryOutput, err)
		}
	} else if known == "" {
		found, err := s.access.Client.Category(ctx, inputs.CategoryKey, inputs.CategoryValue)
		if err != nil || found == nil {
			return err
		}
		uuid = found.UUID
	}
	if uuid != "" {
		metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, infrav1.ControlPlaneCategoryAnnotation, uuid)
	}
	return nil
}

// parts returns the parts of the workspace that belong to the control plane. inputs may be nil.
func (s *scope) parts(inputs *renderer.ControlPlane) []lifecycle.Part {
	if _, possible := controlPlaneCategory(s.nutanixCluster); !possible || !usesV4(s.nutanixCluster) {
		return nil
	}
	category := identity{s.access.Client, infrav1.ControlPlaneCategoryKey, provisioning.ControlPlaneCategoryValue(s.nutanixCluster)}
	return []lifecycle.Part{
		{Address: renderer.ControlPlaneCategoryAddress, Wanted: inputs != nil, Find: category.find},
		{Address: renderer.ControlPlanePolicyAddress, Wanted: inputs != nil && inputs.AntiAffinity, Find: category.findPolicy},
	}
}

// keepControlPlane makes a destroy leave the category of the control plane in Prism Central if the category is in use, for example by a VM
// that somebody has restored from a snapshot. It returns the reason, or an empty string. The policy is destroyed nevertheless.
func (r *Reconciler) keepControlPlane(ctx context.Context, s *scope, target *lifecycle.Target) (string, error) {
	isCategory := func(part lifecycle.Part) bool { return part.Address == renderer.ControlPlaneCategoryAddress }
	if !slices.ContainsFunc(target.Parts, isCategory) {
		return "", nil
	}
	users, err := r.usersOf(ctx, s, infrav1.ControlPlaneCategoryKey, provisioning.ControlPlaneCategoryValue(s.nutanixCluster))
	if err != nil || users == "" {
		return "", err
	}
	target.Parts = slices.DeleteFunc(target.Parts, isCategory)
	target.Shared = append(target.Shared, renderer.ControlPlaneCategoryAddress)
	return users, nil
}

// policies returns the policies with the name of ours that apply to the category with the UUID uuid. Others may use the category in policies of
// their own, which a run must neither change nor delete.
func (i identity) policies(ctx context.Context, uuid string) ([]prism.AntiAffinityPolicy, error) {
	found, err := i.central.AntiAffinityPoliciesOf(ctx, uuid)
	return slices.DeleteFunc(found, func(policy prism.AntiAffinityPolicy) bool { return policy.Name != i.value }), err
}

// findPolicy returns the UUID of the policy with the UUID known or of another policy for the category, or an empty string.
func (i identity) findPolicy(ctx context.Context, known string) (string, error) {
	if known != "" {
		_, err := i.central.AntiAffinityPolicy(ctx, known)
		var missing *prism.NotFoundError
		if !errors.As(err, &missing) {
			return known, err
		}
	}
	category, err := i.central.Category(ctx, i.key, i.value)
	if err != nil || category == nil {
		return "", err
	}
	policies, err := i.policies(ctx, category.UUID)
	at := slices.IndexFunc(policies, func(policy prism.AntiAffinityPolicy) bool { return !strings.EqualFold(policy.UUID, known) })
	if err != nil || at < 0 {
		return "", err
	}
	return policies[at].UUID, nil
}

// describePolicies returns a text that changes if the policies of the category change.
func (i identity) describePolicies(ctx context.Context) (string, error) {
	category, err := i.central.Category(ctx, i.key, i.value)
	if err != nil || category == nil {
		return "", err
	}
	policies, err := i.policies(ctx, category.UUID)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(" %s %v", category.UUID, policies), nil
}
