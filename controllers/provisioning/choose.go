package provisioning

import (
	"fmt"
	"regexp"
	"strconv"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/internal/provider"
	"github.com/capnt/capnt/renderer"
)

// APIChoice is the Prism API for the workspaces of a cluster.
type APIChoice struct {
	API renderer.API
	// Reason says why the API was chosen. It is empty if the API was recorded before.
	Reason string
	// Avoidable is true if only the provider mirror of the manager prevents the v4 API.
	Avoidable bool
}

// apiFacts are the facts that can decide about the API without a request to Prism Central.
type apiFacts struct {
	// api is the recorded API, if recorded is true.
	recorded bool
	api      renderer.API
	// asked and pinned are spec.terraform.api and spec.terraform.providerVersion of the cluster.
	asked  infrav1.PrismAPI
	pinned string
	// inMirror is true if the mirror contains a version of the provider that supports the v4 API.
	inMirror bool
}

// centralVersions contains the versions of Prism Central and of its Prism Elements.
type centralVersions struct {
	prism.Versions
	// elements are the Prism Elements that the cluster may use.
	elements []prism.ElementVersion
	// withoutV4 is true if Prism Central has no v4 API.
	withoutV4 bool
}

const notInMirror = "the provider mirror of this manager has no version of the nutanix provider that supports the v4 API"

// choose chooses the API by the facts, or returns false if the versions in Prism Central decide.
func (f apiFacts) choose() (_ APIChoice, chosen bool) {
	switch {
	case f.recorded:
		return APIChoice{API: f.api}, true
	case f.asked == infrav1.PrismAPIV4:
		return APIChoice{API: renderer.APIV4, Reason: "spec.terraform.api asks for it"}, true
	case f.asked != "":
		return APIChoice{Reason: "spec.terraform.api asks for it"}, true
	case f.pinned != "" && !providerSupportsV4(f.pinned):
		return APIChoice{Reason: fmt.Sprintf("version %s of the provider, which spec.terraform.providerVersion names, does not support v4", f.pinned)}, true
	}
	return APIChoice{}, false
}

// chooseBy chooses the API by the versions. It chooses v4 only if all versions are known and support it.
func (f apiFacts) chooseBy(versions centralVersions) APIChoice {
	if versions.withoutV4 {
		return APIChoice{Reason: "this Prism Central does not have the v4 API"}
	}
	if supported, known := supportsV4(versions.Central); !known {
		return APIChoice{Reason: fmt.Sprintf("the version %q of this Prism Central is not known to support the v4 API", versions.Central)}
	} else if !supported {
		return APIChoice{Reason: fmt.Sprintf("the v4 API needs pc.7.5 or later, and this Prism Central has %s", versions.Central)}
	}
	if len(versions.elements) == 0 {
		return APIChoice{Reason: "the account sees no Prism Element, so their versions are not known"}
	}
	for _, element := range versions.elements {
		if supported, _ := supportsV4(element.Version); !supported {
			return APIChoice{Reason: fmt.Sprintf("the v4 API needs AOS 7.5 or later, and Prism Element %s has %q", element.Name, element.Version)}
		}
	}
	if !f.inMirror {
		return APIChoice{Avoidable: true, Reason: fmt.Sprintf(
			"%s, although this Prism Central (%s) and its Prism Elements do: add provider %s or later to the mirror before you create further clusters",
			notInMirror, versions.Central, infrav1.FirstProviderVersionForV4)}
	}
	return APIChoice{API: renderer.APIV4, Reason: fmt.Sprintf(
		"this Prism Central (%s), its Prism Elements and the provider mirror support it", versions.Central)}
}

// firstMajor and firstMinor are the first release of Prism Central and AOS that the v4 modules support: 7.5. Provider 2.4 requires it.
const firstMajor, firstMinor = 7, 5

// firstYear is less than all years in versions. Versions of Prism Central before 7.3 begin with the year of the release.
const firstYear = 2000

// release matches the versions of Prism Central ("pc.7.5.1.4", "pc.2024.3") and of AOS ("7.5", "6.10.1.2").
var release = regexp.MustCompile(`^(?:pc\.)?(\d{1,4})\.(\d{1,4})(?:\D.*)?$`)

// supportsV4 reports whether a version of Prism Central or of AOS supports the v4 API as the v4 modules use it. known is false for a
// version in another format, for example that of a development build.
func supportsV4(version string) (supported, known bool) {
	parts := release.FindStringSubmatch(version)
	if parts == nil {
		return false, false
	}
	major, _ := strconv.Atoi(parts[1]) // the pattern admits only numbers
	minor, _ := strconv.Atoi(parts[2])
	return major < firstYear && (major > firstMajor || major == firstMajor && minor >= firstMinor), true
}

// providerSupportsV4 reports whether a version of the nutanix provider supports the v4 API.
func providerSupportsV4(version string) bool {
	generation, err := provider.ForVersion(version)
	return err == nil && generation.V4
}
