package provisioning

import (
	"errors"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

// Problem is an error that prevents a step of a reconcile. It contains the reason and the message for a condition.
type Problem struct {
	// Reason is the reason of the condition. Message describes the problem and the remedy.
	Reason, Message string
	// Retry is true if the cause may disappear by itself.
	Retry bool
	// LookUp is true if the spec names an entity that cannot be used, according to look-ups in Prism Central.
	LookUp bool
}

func (p *Problem) Error() string { return p.Message }

// Intervals after which a step is retried. A change in Prism Central triggers no reconcile, so even a step with an
// error that a person has to correct is retried.
const (
	retrySoon  = 10 * time.Second
	retryLater = 20 * time.Second
)

// After returns the delay before the step is retried.
func (p *Problem) After() time.Duration {
	if p.Retry {
		return retrySoon
	}
	return retryLater
}

// kindReasons are the condition reasons for entities that do not exist or have an ambiguous name. The keys are the
// kinds in the errors of package prism.
var kindReasons = map[string]lookUpReasons{
	prism.KindPrismElement:     {infrav1.PrismElementNotFoundReason, infrav1.PrismElementAmbiguousReason},
	prism.KindSubnet:           {infrav1.SubnetNotFoundReason, infrav1.SubnetAmbiguousReason},
	prism.KindImage:            {infrav1.ImageNotFoundReason, infrav1.ImageAmbiguousReason},
	prism.KindProject:          {infrav1.ProjectNotFoundReason, infrav1.ProjectAmbiguousReason},
	prism.KindStorageContainer: {infrav1.StorageContainerNotFoundReason, infrav1.StorageContainerAmbiguousReason},
	prism.KindGPU:              {infrav1.GPUNotFoundReason, infrav1.GPUNotFoundReason},
	prism.KindVM:               {infrav1.VMNotFoundReason, infrav1.VMNotFoundReason},
}

type lookUpReasons struct{ notFound, ambiguous string }

// reasonsOf returns the condition reasons for a kind. In some errors of package prism the kind includes a location, as
// in "GPU of Prism Element ...".
func reasonsOf(kind string) lookUpReasons {
	kind, _, _ = strings.Cut(kind, " of ")
	return kindReasons[kind]
}

// Diagnose returns the Problem for an error. An unknown error gets the reason PrismUnreachable and is retried.
func Diagnose(err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem
	}
	if reason := reasonOf(err); reason != "" {
		return &Problem{Reason: reason, Message: err.Error(), LookUp: IsLookUp(err)}
	}
	return &Problem{Reason: infrav1.PrismUnreachableReason, Message: err.Error() + "; it is retried", Retry: true}
}

// reasonOf returns the reason for an error that a person has to correct, or an empty string for other errors.
func reasonOf(err error) string {
	var (
		notFound    *prism.NotFoundError
		ambiguous   *prism.AmbiguousError
		misplaced   *prism.WrongPrismElementError
		unavailable *prism.UnavailableError
		invalid     *prism.InvalidError
	)
	switch {
	case errors.As(err, &misplaced):
		return infrav1.SubnetWrongPrismElementReason
	case errors.As(err, &notFound):
		return reasonsOf(notFound.Kind).notFound
	case errors.As(err, &ambiguous):
		return reasonsOf(ambiguous.Kind).ambiguous
	case errors.As(err, &unavailable):
		return infrav1.GPUUnavailableReason
	case errors.As(err, &invalid), errors.Is(err, renderer.ErrInvalidInput):
		return infrav1.InvalidSpecReason
	}
	return reasonOfAccess(err)
}

// IsLookUp reports whether err is the result of look-ups of entities that a spec names. It returns false if Prism Central
// could not be reached.
func IsLookUp(err error) bool {
	var (
		notFound    *prism.NotFoundError
		ambiguous   *prism.AmbiguousError
		misplaced   *prism.WrongPrismElementError
		unavailable *prism.UnavailableError
	)
	return errors.As(err, &notFound) && notFound.Kind != prism.KindVM || errors.As(err, &ambiguous) ||
		errors.As(err, &misplaced) || errors.As(err, &unavailable)
}

// reasonOfAccess returns the reason for an error of the connection to Prism Central, or an empty string for other errors.
func reasonOfAccess(err error) string {
	var (
		credential     *prism.CredentialError
		bundle         *prism.TrustBundleError
		certificate    *prism.CertificateError
		authentication *prism.AuthenticationError
		status         *prism.StatusError
	)
	switch {
	case errors.As(err, &credential) && credential.Secret == "":
		return infrav1.CredentialsNotConfiguredReason
	case errors.As(err, &credential) && apierrors.IsNotFound(credential.Err):
		return infrav1.CredentialsNotFoundReason
	case errors.As(err, &credential):
		return infrav1.CredentialsInvalidReason
	case errors.As(err, &bundle) && apierrors.IsNotFound(bundle.Err):
		return infrav1.TrustBundleNotFoundReason
	case errors.As(err, &bundle):
		return infrav1.TrustBundleInvalidReason
	case errors.As(err, &certificate):
		return infrav1.CertificateInvalidReason
	case errors.As(err, &authentication) && authentication.Status == http.StatusForbidden:
		return infrav1.PermissionDeniedReason
	case errors.As(err, &authentication):
		return infrav1.AuthenticationFailedReason
	case errors.As(err, &status) && status.Status != http.StatusNotFound && !prism.Retryable(err):
		return infrav1.PrismRequestRejectedReason // a 404 that names no entity comes from a proxy or from a Prism Central that is restarting
	}
	return ""
}
