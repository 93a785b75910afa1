package provisioning

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

func TestDiagnose(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "x")
	on := " of Prism Element 0000"
	tests := map[string]struct {
		err    error
		reason string
		retry  bool
	}{
		"a problem":                       {&Problem{Reason: "Own", Message: "m"}, "Own", false},
		"no Prism Element":                {&prism.NotFoundError{Kind: prism.KindPrismElement}, "PrismElementNotFound", false},
		"two Prism Elements":              {&prism.AmbiguousError{Kind: prism.KindPrismElement}, "PrismElementAmbiguous", false},
		"no subnet":                       {&prism.NotFoundError{Kind: prism.KindSubnet}, "SubnetNotFound", false},
		"two subnets":                     {&prism.AmbiguousError{Kind: prism.KindSubnet}, "SubnetAmbiguous", false},
		"a subnet elsewhere":              {&prism.WrongPrismElementError{}, "SubnetWrongPrismElement", false},
		"no image":                        {&prism.NotFoundError{Kind: prism.KindImage}, "ImageNotFound", false},
		"two images":                      {&prism.AmbiguousError{Kind: prism.KindImage}, "ImageAmbiguous", false},
		"no project":                      {&prism.NotFoundError{Kind: prism.KindProject}, "ProjectNotFound", false},
		"two projects":                    {&prism.AmbiguousError{Kind: prism.KindProject}, "ProjectAmbiguous", false},
		"no storage container":            {&prism.NotFoundError{Kind: prism.KindStorageContainer + on}, "StorageContainerNotFound", false},
		"two storage containers":          {&prism.AmbiguousError{Kind: prism.KindStorageContainer + on}, "StorageContainerAmbiguous", false},
		"no GPU":                          {&prism.NotFoundError{Kind: prism.KindGPU + on}, "GPUNotFound", false},
		"no free GPU":                     {&prism.UnavailableError{}, "GPUUnavailable", false},
		"no VM":                           {&prism.NotFoundError{Kind: prism.KindVM}, "VMNotFound", false},
		"a field that nothing resolves":   {&prism.InvalidError{Field: "imageLookup.format"}, "InvalidSpec", false},
		"inputs that nothing renders":     {fmt.Errorf("rendering: %w", &renderer.InputError{Field: "name"}), "InvalidSpec", false},
		"no reference to credentials":     {&prism.CredentialError{}, "CredentialsNotConfigured", false},
		"no Secret":                       {&prism.CredentialError{Secret: "a/b", Err: missing}, "CredentialsNotFound", false},
		"no credentials in the Secret":    {&prism.CredentialError{Secret: "a/b"}, "CredentialsInvalid", false},
		"no ConfigMap":                    {&prism.TrustBundleError{Err: missing}, "TrustBundleNotFound", false},
		"no certificate in the ConfigMap": {&prism.TrustBundleError{Err: errors.New("x")}, "TrustBundleInvalid", false},
		"an untrusted certificate":        {&prism.CertificateError{Err: errors.New("x")}, "CertificateInvalid", false},
		"a wrong password":                {&prism.AuthenticationError{Status: http.StatusUnauthorized}, "AuthenticationFailed", false},
		"a missing role":                  {&prism.AuthenticationError{Status: http.StatusForbidden}, "PermissionDenied", false},
		"500":                             {&prism.StatusError{Status: http.StatusInternalServerError}, "PrismUnreachable", true},
		"429":                             {&prism.StatusError{Status: http.StatusTooManyRequests}, "PrismUnreachable", true},
		"422":                             {&prism.StatusError{Status: http.StatusUnprocessableEntity}, "PrismRequestRejected", false},
		"a bare 404":                      {&prism.StatusError{Status: http.StatusNotFound}, "PrismUnreachable", true},
		"a truncated response":            {&prism.ResponseError{Err: errors.New("x")}, "PrismUnreachable", true},
		"a timeout":                       {context.DeadlineExceeded, "PrismUnreachable", true},
		"no response for some seconds":    {&prism.NotRespondingError{Address: "pc"}, "PrismUnreachable", true},
		"an unknown error":                {errors.New("x"), "PrismUnreachable", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{test.err, fmt.Errorf("resolving spec.x: %w", test.err)} {
				problem := Diagnose(err)
				assert.Equal(t, test.reason, problem.Reason)
				assert.Equal(t, test.retry, problem.Retry)
				assert.NotEmpty(t, problem.Message)
				assert.Positive(t, problem.After())
				assert.LessOrEqual(t, problem.After(), 20*time.Second)
				if _, own := test.err.(*Problem); !own { //nolint:errorlint // the table holds it unwrapped
					assert.Contains(t, problem.Message, err.Error())
				}
				assert.Equal(t, problem, Diagnose(problem), "a problem stays what it is")
			}
		})
	}
}
