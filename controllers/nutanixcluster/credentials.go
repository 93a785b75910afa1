package nutanixcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
	"github.com/capnt/capnt/internal/prism"
)

// resolveCredentials adds finalizers to the credential Secret, the trust bundle and the Secret of the state backend. It
// reads the former two and checks that Prism Central accepts the credentials. It chooses the Prism API of a cluster that has none.
func (r *Reconciler) resolveCredentials(ctx context.Context, s *scope) (ctrl.Result, error) {
	if err := r.protectCredentials(ctx, s.nutanixCluster); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.releaseCredentials(ctx, s.nutanixCluster.Namespace, ""); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.connect(ctx, s); err != nil {
		return s.stop(conditionOf(err), provisioning.Diagnose(err))
	}
	provisioning.Set(s.nutanixCluster, infrav1.CredentialsResolvedCondition, metav1.ConditionTrue, infrav1.CredentialsResolvedReason, "")
	reason := infrav1.TrustBundleNotConfiguredReason
	if s.nutanixCluster.Spec.PrismCentral.AdditionalTrustBundle != nil {
		reason = infrav1.TrustBundleResolvedReason
	}
	provisioning.Set(s.nutanixCluster, infrav1.TrustBundleResolvedCondition, metav1.ConditionTrue, reason, "")
	return ctrl.Result{}, nil
}

// conditionOf returns the type of the condition that reports err, an error of the connection to Prism Central.
func conditionOf(err error) string {
	var bundle *prism.TrustBundleError
	var certificate *prism.CertificateError
	if errors.As(err, &bundle) || errors.As(err, &certificate) {
		return infrav1.TrustBundleResolvedCondition
	}
	return infrav1.CredentialsResolvedCondition
}

// protectCredentials adds a finalizer to the credential Secret, the trust bundle and the Secret of the state backend,
// because the cluster needs them until its infrastructure is destroyed. It also labels them for clusterctl move. It sets
// no owner reference, because the objects belong to the user and several clusters may share them. Objects in other
// namespaces stay unchanged: a user who may write clusters in one namespace must not be able to block deletions in
// another namespace.
func (r *Reconciler) protectCredentials(ctx context.Context, cluster *infrav1.NutanixCluster) error {
	for _, object := range protected(cluster) {
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), object); apierrors.IsNotFound(err) {
			continue // a later step reads the credentials and reports the error
		} else if err != nil {
			return fmt.Errorf("protecting %T %s: %w", object, client.ObjectKeyFromObject(object), err)
		}
		before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
		changed := object.GetDeletionTimestamp().IsZero() && controllerutil.AddFinalizer(object, infrav1.CredentialFinalizer)
		if _, labelled := object.GetLabels()[clusterctlv1.ClusterctlMoveLabel]; !labelled {
			labels := object.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			labels[clusterctlv1.ClusterctlMoveLabel] = ""
			object.SetLabels(labels)
			changed = true
		}
		if !changed {
			continue
		}
		if err := r.Client.Patch(ctx, object, unlessChanged(before)); err != nil {
			return fmt.Errorf("protecting %T %s: %w", object, client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}

// releaseCredentials removes the finalizer from the Secrets and ConfigMaps in namespace that no cluster uses any
// more. If the deletion of a cluster ends, deleted is the UID of that cluster; otherwise it is empty.
//
// releaseCredentials reads the objects past the cache, because the cache may lack recent changes and no later reconcile
// of a deleted cluster could remove a remaining finalizer. It selects the objects by the move label, which all objects
// with the finalizer have, because the cluster may have used objects that its spec no longer names.
func (r *Reconciler) releaseCredentials(ctx context.Context, namespace string, deleted types.UID) error {
	var reader client.Reader = r.Client
	which := []client.ListOption{client.InNamespace(namespace)}
	if deleted != "" {
		reader, which = r.Reader, append(which, client.HasLabels{clusterctlv1.ClusterctlMoveLabel})
	}
	clusters := &infrav1.NutanixClusterList{}
	secrets, configMaps := &corev1.SecretList{}, &corev1.ConfigMapList{}
	if err := reader.List(ctx, clusters, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing the users of the credentials: %w", err)
	}
	for _, list := range []client.ObjectList{secrets, configMaps} {
		if err := reader.List(ctx, list, which...); err != nil {
			return fmt.Errorf("listing credentials with the finalizer: %w", err)
		}
	}
	var objects []client.Object
	for i := range secrets.Items {
		objects = append(objects, &secrets.Items[i])
	}
	for i := range configMaps.Items {
		objects = append(objects, &configMaps.Items[i])
	}
	for _, object := range objects {
		if !controllerutil.ContainsFinalizer(object, infrav1.CredentialFinalizer) || usedByOther(clusters.Items, deleted, object) {
			continue
		}
		if err := r.removeFinalizer(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// removeFinalizer removes CAPNT's finalizer from an object.
func (r *Reconciler) removeFinalizer(ctx context.Context, object client.Object) error {
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	if !controllerutil.RemoveFinalizer(object, infrav1.CredentialFinalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, object, unlessChanged(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// unlessChanged returns a patch that fails if the object has changed since it was read. Without this check, the patch
// could remove finalizers of other controllers, because a merge patch replaces the whole list of finalizers.
func unlessChanged(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

// usedByOther reports whether a cluster with a UID other than uid uses the object.
func usedByOther(clusters []infrav1.NutanixCluster, uid types.UID, object client.Object) bool {
	for i := range clusters {
		if clusters[i].UID != uid && contains(protected(&clusters[i]), object) {
			return true
		}
	}
	return false
}

// protected lists the references of a cluster that are in the cluster's namespace.
func protected(cluster *infrav1.NutanixCluster) []client.Object {
	return slices.DeleteFunc(references(cluster), func(object client.Object) bool { return object.GetNamespace() != cluster.Namespace })
}

// references lists the credential Secret, the trust bundle and the Secret of the state backend of a cluster. The objects
// have only a name and a namespace.
func references(cluster *infrav1.NutanixCluster) []client.Object {
	var objects []client.Object
	if terraform := cluster.Spec.Terraform; terraform != nil && terraform.Backend != nil && terraform.Backend.ConfigSecretRef != nil {
		objects = append(objects, &corev1.Secret{ObjectMeta: named("", cluster.Namespace, terraform.Backend.ConfigSecretRef.Name)})
	}
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return objects
	}
	if ref := endpoint.CredentialRef; ref != nil {
		objects = append(objects, &corev1.Secret{ObjectMeta: named(ref.Namespace, cluster.Namespace, ref.Name)})
	}
	if ref := endpoint.AdditionalTrustBundle; ref != nil && ref.Kind == infrav1.NutanixTrustBundleKindConfigMap {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: named(ref.Namespace, cluster.Namespace, ref.Name)})
	}
	return objects
}

// contains reports whether list contains an object with the same type and name as object.
func contains(list []client.Object, object client.Object) bool {
	return slices.ContainsFunc(list, func(other client.Object) bool {
		return fmt.Sprintf("%T", other) == fmt.Sprintf("%T", object) && client.ObjectKeyFromObject(other) == client.ObjectKeyFromObject(object)
	})
}

func named(namespace, defaultNamespace, name string) metav1.ObjectMeta {
	if namespace == "" {
		namespace = defaultNamespace
	}
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}
