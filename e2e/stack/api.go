package stack

import (
	"os"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/renderer"
)

// APIVariable is the environment variable with the Prism API that clusters use: v3, which is the default, or v4.
const APIVariable = "CAPNT_PRISM_API"

// API returns the Prism API that clusters use.
func API() renderer.API {
	if UsesV4() {
		return renderer.APIV4
	}
	return renderer.APIV3
}

// UsesV4 reports whether clusters use the v4 API of Prism.
func UsesV4() bool { return os.Getenv(APIVariable) == string(renderer.APIV4) }

// makeCurrent gives Prism Central and its Prism Elements versions that support the v4 API, so that new clusters use it.
func makeCurrent(inventory *prismsim.Inventory) {
	inventory.PrismCentral.Version, inventory.PrismCentral.APIVersion = "pc.7.5.1", "v4.3"
	for i := range inventory.PrismElements {
		inventory.PrismElements[i].Version = "7.5"
	}
}
