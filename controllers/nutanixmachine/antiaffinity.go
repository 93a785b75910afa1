package nutanixmachine

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/cluster-api/util"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// separated reports whether the machine belongs to a control plane whose machines are kept on different hosts.
func (s *scope) separated() bool {
	return util.IsControlPlaneMachine(s.machine) && s.nutanixCluster.Spec.ControlPlaneAntiAffinity == infrav1.AntiAffinityPreferred
}

// controlPlaneCategory returns the category that a machine needs for the anti-affinity of the control plane, or nil. A new machine waits for
// the category, because Prism Central chooses the host when it switches the VM on. A machine whose VM exists gets the category later.
func (s *scope) controlPlaneCategory() (*renderer.Ref, error) {
	if !s.separated() {
		return nil, nil
	}
	name := categoryName(infrav1.ControlPlaneCategoryKey, provisioning.ControlPlaneCategoryValue(s.nutanixCluster))
	uuid := s.nutanixCluster.Annotations[infrav1.ControlPlaneCategoryAnnotation]
	switch {
	case uuid != "":
		return &renderer.Ref{UUID: uuid, Name: name}, nil
	case s.vmUUID() != "":
		return nil, nil
	}
	return nil, &provisioning.Problem{Reason: infrav1.CategoryNotFoundReason, Retry: true, Message: fmt.Sprintf(
		"category %s of the control plane does not exist in Prism Central yet: NutanixCluster %s creates it", name, s.nutanixCluster.Name)}
}

// misplaced reports whether the VM lacks the category of the control plane or has to lose it, so that the workspace of the machine has to be
// rendered again although its spec is the same. It is false if the VM was not read.
func (s *scope) misplaced() bool {
	if s.seen == nil || s.seen.err != nil || s.seen.vm == nil || !usesV4(s.nutanixMachine) || s.nutanixCluster == nil {
		return false
	}
	uuid := s.nutanixCluster.Annotations[infrav1.ControlPlaneCategoryAnnotation]
	has := func(match func(category prism.Category) bool) bool {
		return slices.ContainsFunc(s.seen.vm.AllCategories, match)
	}
	switch {
	case !s.separated():
		return has(func(category prism.Category) bool { return category.Key == infrav1.ControlPlaneCategoryKey })
	case uuid == "":
		return false
	}
	return !has(func(category prism.Category) bool { return strings.EqualFold(category.UUID, uuid) })
}
