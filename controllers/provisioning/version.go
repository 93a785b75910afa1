package provisioning

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// VersionFor returns the version of the nutanix provider for the next run of an object of the cluster. The version is
// spec.terraform.providerVersion, otherwise the version of the last run, otherwise the manager's flag
// --provider-version. If the manager's mirror lacks that version, VersionFor returns an error with the reason
// ProviderVersionUnavailable.
//
// If only the version in the spec is not available, VersionFor returns the error for objects that Terraform never ran
// for, and for a NutanixCluster that is not being deleted, where the user sees the mistake. Other objects use the
// version of their last run, so that existing machines stay ready and every deletion ends.
func (d *Dependencies) VersionFor(cluster *infrav1.NutanixCluster, object client.Object) (string, error) {
	pinned, recorded := "", RecordedVersion(object)
	if terraform := cluster.Spec.Terraform; terraform != nil {
		pinned = terraform.ProviderVersion
	}
	if version := cmp.Or(pinned, recorded, d.ProviderVersion); d.hasVersion(version) {
		return version, nil
	}
	_, isCluster := object.(*infrav1.NutanixCluster)
	showsMistake := isCluster && object.GetDeletionTimestamp().IsZero()
	if pinned != "" && !showsMistake && d.hasVersion(recorded) {
		return recorded, nil
	}
	return "", d.versionUnavailable(cluster, pinned, recorded)
}

func (d *Dependencies) hasVersion(version string) bool {
	return version == d.ProviderVersion || slices.Contains(d.ProviderVersions, version)
}

func (d *Dependencies) versionUnavailable(cluster *infrav1.NutanixCluster, pinned, recorded string) *Problem {
	available := d.ProviderVersions
	if len(available) == 0 {
		available = []string{d.ProviderVersion}
	}
	cause := fmt.Sprintf("spec.terraform.providerVersion of NutanixCluster %s is %s", cluster.Name, pinned)
	remedy := "set one of them, or leave the field out"
	if pinned == "" {
		cause = fmt.Sprintf("the last run used version %s of the nutanix provider", recorded)
		remedy = fmt.Sprintf("set spec.terraform.providerVersion of NutanixCluster %s to one of them", cluster.Name)
	}
	return &Problem{Reason: infrav1.ProviderVersionUnavailableReason, Message: fmt.Sprintf(
		"%s, but the provider mirror of this manager has %s: %s, or add the version to the mirror",
		cause, strings.Join(available, ", "), remedy)}
}

// RecordedVersion returns the version of the nutanix provider that the last run of an object used, or an empty string.
// The version is stored in an annotation, because the status does not survive clusterctl move. Objects of v0.1.0 have
// the version only in their status.
func RecordedVersion(object client.Object) string {
	if version := object.GetAnnotations()[infrav1.ProviderVersionAnnotation]; version != "" {
		return version
	}
	var status *infrav1.TerraformStatus
	switch object := object.(type) {
	case *infrav1.NutanixCluster:
		status = object.Status.Terraform
	case *infrav1.NutanixMachine:
		status = object.Status.Terraform
	}
	if status == nil {
		return ""
	}
	return status.ProviderVersion
}
