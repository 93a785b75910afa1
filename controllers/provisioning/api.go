package provisioning

import (
	"context"
	"errors"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// RecordedAPI returns the Prism API for the workspace of an object. The zero value, which is the v3 API, keeps the digests of workspaces
// that were rendered before the API was recorded.
func RecordedAPI(object client.Object) renderer.API {
	if infrav1.WorkspacePrismAPI(object) == infrav1.PrismAPIV4 {
		return renderer.APIV4
	}
	return ""
}

// APIFor returns the Prism API of an object of the cluster: the API that is recorded for the object or, before its first run, that of the
// cluster. It makes no choice, so each object keeps its API. While the cluster is being migrated, new objects use v3: the migration may be
// refused or turn back, and only an object of the v3 API can be read through the client of either API.
func APIFor(cluster *infrav1.NutanixCluster, object client.Object) renderer.API {
	if infrav1.HasPrismAPI(object) {
		return RecordedAPI(object)
	}
	if infrav1.MigratingPrismAPI(cluster) != "" {
		return ""
	}
	return RecordedAPI(cluster)
}

// WithAPI returns the cluster with a chosen API, as EnsureWorkspaceKey will record it. If an API is recorded, WithAPI returns the cluster
// unchanged.
func WithAPI(cluster *infrav1.NutanixCluster, api renderer.API) *infrav1.NutanixCluster {
	if infrav1.HasPrismAPI(cluster) {
		return cluster
	}
	cluster = cluster.DeepCopy()
	setAPI(cluster, api)
	return cluster
}

func setAPI(object client.Object, api renderer.API) {
	recorded := infrav1.PrismAPIV3
	if api == renderer.APIV4 {
		recorded = infrav1.PrismAPIV4
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[infrav1.PrismAPIAnnotation] = string(recorded)
	object.SetAnnotations(annotations)
}

// Connect returns the Access of a cluster through its Prism API. It chooses the API of a cluster that has none yet, but does not record it.
// clusterName is the name of the Cluster.
func (d *Dependencies) Connect(ctx context.Context, cluster *infrav1.NutanixCluster, clusterName string) (*prism.Access, APIChoice, error) {
	choice, err := d.ChooseAPI(ctx, cluster, clusterName)
	if err != nil {
		return nil, choice, err
	}
	access, err := d.Prism.Access(ctx, WithAPI(cluster, choice.API))
	return access, choice, err
}

// ChooseAPI returns the Prism API for the workspaces of a cluster. An API that is recorded never changes. Otherwise the spec of the
// cluster and the versions of Prism Central, of the Prism Elements and of the provider decide. clusterName is the name of the Cluster.
//
// ChooseAPI returns an error if Prism Central does not respond, because a choice without its versions could not be corrected after the
// first run.
func (d *Dependencies) ChooseAPI(ctx context.Context, cluster *infrav1.NutanixCluster, clusterName string) (APIChoice, error) {
	facts := apiFacts{recorded: infrav1.HasPrismAPI(cluster), api: RecordedAPI(cluster), inMirror: len(d.v4Versions()) > 0}
	if terraform := cluster.Spec.Terraform; terraform != nil {
		facts.asked, facts.pinned = terraform.API, terraform.ProviderVersion
	}
	if choice, chosen := facts.choose(); chosen {
		return choice, nil
	}
	versions, err := d.readVersions(ctx, cluster)
	if err == nil {
		versions.elements, err = d.usedElements(ctx, cluster, clusterName, versions.Elements)
	}
	switch {
	case err == nil:
		return facts.chooseBy(versions), nil
	case !facts.inMirror:
		return APIChoice{Reason: notInMirror}, nil // no version of Prism Central would change the choice
	}
	return APIChoice{}, err
}

// readVersions reads the versions of Prism Central and its Prism Elements through the v4 API. If Prism Central rejects these requests,
// the v3 API tells whether Prism Central is too old for them, or whether they have to be repeated.
func (d *Dependencies) readVersions(ctx context.Context, cluster *infrav1.NutanixCluster) (centralVersions, error) {
	versions, failure := d.versionsThrough(ctx, cluster, prism.V4)
	var status *prism.StatusError
	var response *prism.ResponseError
	var authentication *prism.AuthenticationError
	rejected := errors.As(failure, &status) || errors.As(failure, &response) ||
		errors.As(failure, &authentication) && authentication.Status == http.StatusForbidden
	if !rejected {
		return centralVersions{Versions: versions}, failure
	}
	versions, err := d.versionsThrough(ctx, cluster, prism.V3)
	if err != nil {
		return centralVersions{}, failure
	}
	missing := status != nil && status.Status == http.StatusNotFound
	if supported, known := supportsV4(versions.Central); known && supported || !known && !missing {
		return centralVersions{}, failure // for example, its services are starting
	}
	return centralVersions{Versions: versions, withoutV4: true}, nil
}

func (d *Dependencies) versionsThrough(ctx context.Context, cluster *infrav1.NutanixCluster, api prism.Generation) (prism.Versions, error) {
	access, err := d.Prism.AccessThrough(ctx, cluster, api)
	if err != nil {
		return prism.Versions{}, err
	}
	return access.Client.Versions(ctx)
}
