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

// Problem is why a step cannot go on, in the words of a condition.
type Problem struct {
	// Reason is the reason of the condition, Message what is wrong and what to do about it.
	Reason, Message string
	// Retry says that the cause may pass by itself.
	Retry bool
}

func (p *Problem) Error() string { return p.Message }

// Intervals after which a step is tried again. Nothing that a person puts right in Prism Central calls a controller, so
// even an object with a wrong name in it is looked at again.
const (
	retrySoon  = 10 * time.Second
	retryLater = 20 * time.Second
)

// After is when the step should be tried again.
func (p *Problem) After() time.Duration {
	if p.Retry {
		return retrySoon
	}
	return retryLater
}

// kindReasons are the reasons for what Prism Central has none of, or more than one of, by the kind that prism reports.
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

// reasonsOf finds the reasons of a kind; prism says of some kinds where it looked ("GPU of Prism Element ...").
func reasonsOf(kind string) lookUpReasons {
	kind, _, _ = strings.Cut(kind, " of ")
	return kindReasons[kind]
}

// Diagnose puts an error into the words of a condition. An error that it does not know is taken for a passing fault.
func Diagnose(err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) {
		return problem
	}
	if reason := reasonOf(err); reason != "" {
		return &Problem{Reason: reason, Message: err.Error()}
	}
	return &Problem{Reason: infrav1.PrismUnreachableReason, Message: err.Error() + "; it is tried again", Retry: true}
}

// reasonOf returns the reason for an error that somebody has to cure, and empty for others.
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

// reasonOfAccess returns the reason for an error on the way to Prism Central.
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
		return infrav1.PrismRequestRejectedReason // a bare 404 is one of a proxy, or of a Prism Central that is restarting
	}
	return ""
}
