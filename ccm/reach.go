package ccm

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/capnt/capnt/ccm/access"
	"github.com/capnt/capnt/ccm/nutanix"
)

// patience is how many failures in a row make Prism Central unreachable: one alone may be a lost packet.
const patience = 2

// reach says when Prism Central stops to answer, and when it answers again, each time once. It learns that from the requests
// that are made anyway.
type reach struct {
	tell teller
	// answered is called when Prism Central begins to answer. It must not wait.
	answered func()

	mu       sync.Mutex
	told     string // what was said last; "" at first
	failures int    // in a row
}

// hear takes notice of how a request ended.
func (r *reach) hear(err error) {
	reason := verdict(err)
	if reason == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if reason == ReasonAnswers {
		r.failures = 0
		if r.told != ReasonAnswers {
			r.tell.say(ReasonAnswers, "Prism Central answers")
			r.answered()
		}
		r.told = ReasonAnswers
		return
	}
	r.failures++
	news := reason
	if reason == ReasonAccessUnusable {
		news += err.Error() // says another thing when one of two mistakes is corrected
	}
	if r.told == news || reason == ReasonUnreachable && r.failures < patience {
		return
	}
	r.told = news
	r.tell.warn(reason, explanations[reason], err)
}

var explanations = map[string]string{
	ReasonUnreachable: "Prism Central does not answer: nodes and load balancers stay as they are until it does",
	ReasonCertificateRefused: "The certificate of Prism Central is not believed, and nothing is sent: put the certificate of its authority " +
		"where prismCentral.additionalTrustBundle says",
	ReasonCredentialsRefused: "Prism Central refuses the credentials: correct the Secret that prismCentral.credentialRef names",
	ReasonAccessUnusable:     "Credentials or certificates for Prism Central cannot be read",
}

// verdict gives what the end of a request says about Prism Central; "": nothing.
func verdict(err error) string {
	var (
		unusable  *access.Error
		untrusted *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, context.Canceled), nutanix.Is(err, nutanix.Throttled):
		return ""
	case errors.As(err, &unusable):
		return ReasonAccessUnusable
	case errors.As(err, &untrusted):
		return ReasonCertificateRefused
	case nutanix.Is(err, nutanix.Unauthorized):
		return ReasonCredentialsRefused
	case nutanix.Is(err, nutanix.Unavailable):
		return ReasonUnreachable
	default: // an answer, even if not the one that was hoped for
		return ReasonAnswers
	}
}

// answers reports whether Prism Central answered last.
func (r *reach) answers() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told == ReasonAnswers && r.failures == 0
}

// probe asks Prism Central at once, and as long as it does not answer in every period, until the context ends.
func (r *reach) probe(ctx context.Context, api nutanix.API, period time.Duration) {
	wait.UntilWithContext(ctx, func(ctx context.Context) { r.look(ctx, api) }, period)
}

func (r *reach) look(ctx context.Context, api nutanix.API) {
	if !r.answers() {
		_, _ = api.ListPrismElements(ctx) // heard
	}
}

// heard is the API with an ear on what is asked for all the time.
type heard struct {
	nutanix.API
	reach *reach
}

// VM is heard.
func (h heard) VM(ctx context.Context, uuid string) (nutanix.VM, error) {
	vm, err := h.API.VM(ctx, uuid)
	h.reach.hear(err)
	return vm, err
}

// ListVMs is heard.
func (h heard) ListVMs(ctx context.Context, filter nutanix.VMFilter) ([]nutanix.VM, error) {
	vms, err := h.API.ListVMs(ctx, filter)
	h.reach.hear(err)
	return vms, err
}

// ListPrismElements is heard.
func (h heard) ListPrismElements(ctx context.Context) ([]nutanix.PrismElement, error) {
	elements, err := h.API.ListPrismElements(ctx)
	h.reach.hear(err)
	return elements, err
}
