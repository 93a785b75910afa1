package provisioning

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/renderer"
)

// RecordedAPI returns the Prism API of an object's workspace. The zero value, which is the v3 API, keeps the digests of workspaces that were
// rendered before the API was recorded.
func RecordedAPI(object client.Object) renderer.API {
	if object.GetAnnotations()[infrav1.PrismAPIAnnotation] == string(renderer.APIV4) {
		return renderer.APIV4
	}
	return ""
}
