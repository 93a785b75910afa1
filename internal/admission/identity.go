package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// domain is the end of the groups of all labels, annotations and finalizers that only the manager writes.
const domain = "cluster.x-k8s.io"

// manager is the user name of the manager at the API server.
type manager string

// findManager asks the API server for the user name of the manager.
func findManager(ctx context.Context, c client.Client) (manager, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return "", fmt.Errorf("asking the API server for the user name of the manager (it needs the permission to create selfsubjectreviews): %w", err)
	}
	if review.Status.UserInfo.Username == "" {
		return "", errors.New("asking the API server for the user name of the manager: the SelfSubjectReview contains no user name")
	}
	return manager(review.Status.UserInfo.Username), nil
}

// sent reports whether the manager sent the request.
func (m manager) sent(request admission.Request) bool {
	return request.UserInfo.Username == string(m)
}

// validateRecords checks that the annotations do not change that say which state and which virtual machine an object has, and through which
// API they are managed. The manager may change the API.
func (m manager) validateRecords(ctx context.Context, kind string, old, object metav1.Object) error {
	request, err := requestOf(ctx)
	if err != nil {
		return err
	}
	errs := infrav1.ValidateIdentity(old, object)
	if !m.sent(request) {
		errs = append(errs, infrav1.ValidatePrismAPI(old, object)...)
	}
	return invalid(kind, object, errs)
}

// stampAuthor sets the author of an object that is created and of an object whose spec a user other than the manager changes. It keeps the
// author in all other updates. It reads the stored version of the object into old before it calls changed, which compares the specs.
func (m manager) stampAuthor(ctx context.Context, object, old metav1.Object, changed func() bool) error {
	request, err := requestOf(ctx)
	if err != nil {
		return err
	}
	if request.Operation == admissionv1.Create {
		infrav1.SetAuthor(object, request.UserInfo.Username)
		return nil
	}
	if err := readOld(request, old); err != nil {
		return err
	}
	if m.sent(request) || !changed() {
		infrav1.KeepAuthor(object, old)
		return nil
	}
	infrav1.SetAuthor(object, request.UserInfo.Username)
	return nil
}

// requestOf returns the admission request that the webhook handles.
func requestOf(ctx context.Context) (admission.Request, error) {
	request, err := admission.RequestFromContext(ctx)
	if err != nil {
		return request, apierrors.NewInternalError(fmt.Errorf("reading the admission request: %w", err))
	}
	return request, nil
}

// readOld decodes the stored version of the object of an update into old.
func readOld(request admission.Request, old any) error {
	if err := json.Unmarshal(request.OldObject.Raw, old); err != nil {
		return apierrors.NewInternalError(fmt.Errorf("reading the old version of %s %s/%s: %w", request.Kind.Kind, request.Namespace, request.Name, err))
	}
	return nil
}

// ownMetadataChanged reports whether the labels, annotations or finalizers differ that only the manager writes.
func ownMetadataChanged(old, object metav1.Object) bool {
	return ownKeysDiffer(old.GetLabels(), object.GetLabels()) || ownKeysDiffer(old.GetAnnotations(), object.GetAnnotations()) ||
		!slices.Equal(ownFinalizers(old), ownFinalizers(object))
}

func ownKeysDiffer(old, updated map[string]string) bool {
	for _, pair := range [][2]map[string]string{{old, updated}, {updated, old}} {
		for key, value := range pair[0] {
			if other, ok := pair[1][key]; own(key) && (!ok || other != value) {
				return true
			}
		}
	}
	return false
}

// ownFinalizers returns the finalizers of the object that only the manager writes, in alphabetical order.
func ownFinalizers(object metav1.Object) []string {
	finalizers := slices.DeleteFunc(slices.Clone(object.GetFinalizers()), func(finalizer string) bool { return !own(finalizer) })
	slices.Sort(finalizers)
	return finalizers
}

// own reports whether a label, annotation or finalizer belongs to Cluster API or its providers.
func own(key string) bool {
	group, _, found := strings.Cut(key, "/")
	return found && (group == domain || strings.HasSuffix(group, "."+domain))
}
