package provisioning

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// VersionFor returns the version of the nutanix provider for the next run of an object of the cluster. The version is
// spec.terraform.providerVersion, otherwise the version of the last run, otherwise the manager's flag
// --provider-version. For an object that uses the v4 API, VersionFor ignores the version of the last run and the flag if
// they do not support that API. Without them it uses the highest version in the mirror that does. If the manager's mirror
// lacks the version, VersionFor returns an error with the reason ProviderVersionUnavailable.
//
// If only the version in the spec is not available, VersionFor returns the error for objects that Terraform never ran
// for, and for a NutanixCluster that is not being deleted, where the user sees the mistake. Other objects use the
// version of their last run, so that existing machines stay ready and every deletion ends.
func (d *Dependencies) VersionFor(cluster *infrav1.NutanixCluster, object client.Object) (string, error) {
	if infrav1.MigratingPrismAPI(object) != "" {
		return d.versionWith(renderer.APIV4, cluster, object) // the state may contain resources of both APIs
	}
	return d.versionWith(APIFor(cluster, object), cluster, object)
}

func (d *Dependencies) versionWith(api renderer.API, cluster *infrav1.NutanixCluster, object client.Object) (string, error) {
	pinned, recorded, preset := "", RecordedVersion(object), d.ProviderVersion
	if terraform := cluster.Spec.Terraform; terraform != nil {
		pinned = terraform.ProviderVersion
	}
	if api == renderer.APIV4 && !providerSupportsV4(recorded) {
		recorded = ""
	}
	if versions := d.v4Versions(); api == renderer.APIV4 && !slices.Contains(versions, preset) {
		preset = slices.MaxFunc(append(versions, ""), compareVersions)
	}
	if version := cmp.Or(pinned, recorded, preset); d.canRun(api, version) {
		return version, nil
	}
	_, isCluster := object.(*infrav1.NutanixCluster)
	showsMistake := isCluster && object.GetDeletionTimestamp().IsZero()
	if pinned != "" && !showsMistake && d.canRun(api, recorded) {
		return recorded, nil
	}
	return "", d.versionUnavailable(api, cluster, pinned, recorded)
}

// canRun reports whether the mirror has a version of the provider and the version supports the API.
func (d *Dependencies) canRun(api renderer.API, version string) bool {
	return slices.Contains(d.versions(), version) && (api != renderer.APIV4 || providerSupportsV4(version))
}

// versions returns the versions of the provider that runs may use.
func (d *Dependencies) versions() []string {
	if slices.Contains(d.ProviderVersions, d.ProviderVersion) {
		return d.ProviderVersions
	}
	return append([]string{d.ProviderVersion}, d.ProviderVersions...)
}

// v4Versions returns the versions of the provider that runs through the v4 API may use.
func (d *Dependencies) v4Versions() []string {
	return slices.DeleteFunc(slices.Clone(d.versions()), func(version string) bool { return !providerSupportsV4(version) })
}

// compareVersions compares two versions of the provider. A version that cannot be parsed is lower than all others.
func compareVersions(a, b string) int {
	first, err := version.NewSemver(a)
	if err != nil {
		return -1
	}
	second, err := version.NewSemver(b)
	if err != nil {
		return 1
	}
	return first.Compare(second)
}

func (d *Dependencies) versionUnavailable(api renderer.API, cluster *infrav1.NutanixCluster, pinned, recorded string) *Problem {
	available := d.ProviderVersions
	if len(available) == 0 {
		available = []string{d.ProviderVersion}
	}
	cause := fmt.Sprintf("spec.terraform.providerVersion of NutanixCluster %s is %s", cluster.Name, pinned)
	remedy := "set one of them, or leave the field out"
	switch {
	case pinned == "" && recorded == "":
		cause = fmt.Sprintf("the v4 API, which NutanixCluster %s uses, needs provider %s or later",
			cluster.Name, infrav1.FirstProviderVersionForV4)
		remedy = "set spec.terraform.api to v3 if the cluster has no Terraform state yet"
	case pinned == "":
		cause = fmt.Sprintf("the last run used version %s of the nutanix provider", recorded)
		remedy = fmt.Sprintf("set spec.terraform.providerVersion of NutanixCluster %s to one of them", cluster.Name)
	case api == renderer.APIV4 && slices.Contains(d.versions(), pinned):
		cause = fmt.Sprintf("%s, which does not support the v4 API that the cluster uses", cause)
		remedy = fmt.Sprintf("set %s or later, or leave the field out", infrav1.FirstProviderVersionForV4)
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
