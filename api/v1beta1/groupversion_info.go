// Package v1beta1 contains the API of the infrastructure provider: the kinds, their defaults, their validation (pure functions
// without a client) and the constants for conditions and reasons.
//
// The API version v1beta1 implements the v1beta2 contract of Cluster API
// (https://cluster-api.sigs.k8s.io/developer/providers/contracts/overview). The spec of every kind accepts the same values as
// CAPX, so that manifests for CAPX apply unchanged.
// +kubebuilder:object:generate=true
// +groupName=infrastructure.cluster.x-k8s.io
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of all kinds in this package.
	GroupVersion = schema.GroupVersion{Group: "infrastructure.cluster.x-k8s.io", Version: "v1beta1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds all kinds of this package to a scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&NutanixCluster{}, &NutanixClusterList{},
		&NutanixClusterTemplate{}, &NutanixClusterTemplateList{},
		&NutanixMachine{}, &NutanixMachineList{},
		&NutanixMachineTemplate{}, &NutanixMachineTemplateList{},
		&NutanixFailureDomain{}, &NutanixFailureDomainList{},
		&NutanixPlan{}, &NutanixPlanList{},
		&NutanixPlanDecision{}, &NutanixPlanDecisionList{},
		&NutanixPlanPolicy{}, &NutanixPlanPolicyList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
