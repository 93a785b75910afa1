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

// resolveCredentials holds on to the Secret and the trust bundle, reads them, and asks Prism Central whether it accepts them.
func (r *Reconciler) resolveCredentials(ctx context.Context, s *scope) (ctrl.Result, error) {
	if err := r.hold(ctx, s.nutanixCluster); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.release(ctx, s.nutanixCluster.Namespace, ""); err != nil {
		return ctrl.Result{}, err
	}
	access, err := r.Prism.Access(ctx, s.nutanixCluster)
	if err == nil {
		err = access.Client.Ping(ctx)
	}
	if err != nil {
		return s.stop(conditionOf(err), provisioning.Diagnose(err))
	}
	s.access = access
	provisioning.Set(s.nutanixCluster, infrav1.CredentialsResolvedCondition, metav1.ConditionTrue, infrav1.CredentialsResolvedReason, "")
	reason := infrav1.TrustBundleNotConfiguredReason
	if s.nutanixCluster.Spec.PrismCentral.AdditionalTrustBundle != nil {
		reason = infrav1.TrustBundleResolvedReason
	}
	provisioning.Set(s.nutanixCluster, infrav1.TrustBundleResolvedCondition, metav1.ConditionTrue, reason, "")
	return ctrl.Result{}, nil
}

// conditionOf says which condition an error on the way to Prism Central belongs to.
func conditionOf(err error) string {
	var bundle *prism.TrustBundleError
	var certificate *prism.CertificateError
	if errors.As(err, &bundle) || errors.As(err, &certificate) {
		return infrav1.TrustBundleResolvedCondition
	}
	return infrav1.CredentialsResolvedCondition
}

// hold keeps the credential Secret and the trust bundle alive for as long as the cluster needs them, which is until its
// infrastructure is destroyed, and has clusterctl move carry them along. Neither is owned: they are the user's, and several
// clusters may share them. What is in another namespace is only read: whoever may write clusters in one must not be able to
// keep another one from being deleted.
func (r *Reconciler) hold(ctx context.Context, cluster *infrav1.NutanixCluster) error {
	for _, object := range held(cluster) {
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), object); apierrors.IsNotFound(err) {
			continue // reading it will say so
		} else if err != nil {
			return fmt.Errorf("holding %T %s: %w", object, client.ObjectKeyFromObject(object), err)
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
			return fmt.Errorf("holding %T %s: %w", object, client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}

// release lets go of the Secrets and trust bundles of a namespace that no cluster holds any more. going is the UID of a
// cluster that is about to be gone, if any: what it names now need not be all that it has held. Nobody looks again after such a
// one, hence past the cache, which may not have seen yet what was held a moment ago; what is held is labelled.
func (r *Reconciler) release(ctx context.Context, namespace string, going types.UID) error {
	var reader client.Reader = r.Client
	which := []client.ListOption{client.InNamespace(namespace)}
	if going != "" {
		reader, which = r.Reader, append(which, client.HasLabels{clusterctlv1.ClusterctlMoveLabel})
	}
	clusters := &infrav1.NutanixClusterList{}
	secrets, configMaps := &corev1.SecretList{}, &corev1.ConfigMapList{}
	if err := reader.List(ctx, clusters, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing the users of the credentials: %w", err)
	}
	for _, list := range []client.ObjectList{secrets, configMaps} {
		if err := reader.List(ctx, list, which...); err != nil {
			return fmt.Errorf("listing what credentials are held: %w", err)
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
		if !controllerutil.ContainsFinalizer(object, infrav1.CredentialFinalizer) || heldByOther(clusters.Items, going, object) {
			continue
		}
		if err := r.letGo(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// letGo takes our finalizer off an object.
func (r *Reconciler) letGo(ctx context.Context, object client.Object) error {
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy of a client.Object is one
	if !controllerutil.RemoveFinalizer(object, infrav1.CredentialFinalizer) {
		return nil
	}
	if err := r.Client.Patch(ctx, object, unlessChanged(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("releasing %T %s: %w", object, client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// unlessChanged is a patch that fails when somebody has changed the object: finalizers are a list, which a patch replaces, with
// those of others in it.
func unlessChanged(before client.Object) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

// heldByOther reports whether a cluster with another UID holds the object.
func heldByOther(clusters []infrav1.NutanixCluster, uid types.UID, object client.Object) bool {
	for i := range clusters {
		if clusters[i].UID != uid && contains(held(&clusters[i]), object) {
			return true
		}
	}
	return false
}

// held lists, by name only, the objects of the cluster's own namespace that it refers to for its way to Prism Central.
func held(cluster *infrav1.NutanixCluster) []client.Object {
	return slices.DeleteFunc(referred(cluster), func(object client.Object) bool { return object.GetNamespace() != cluster.Namespace })
}

// referred lists, by name only, the objects that a cluster refers to for its way to Prism Central.
func referred(cluster *infrav1.NutanixCluster) []client.Object {
	endpoint := cluster.Spec.PrismCentral
	if endpoint == nil {
		return nil
	}
	var objects []client.Object
	if ref := endpoint.CredentialRef; ref != nil {
		objects = append(objects, &corev1.Secret{ObjectMeta: named(ref.Namespace, cluster.Namespace, ref.Name)})
	}
	if ref := endpoint.AdditionalTrustBundle; ref != nil && ref.Kind == infrav1.NutanixTrustBundleKindConfigMap {
		objects = append(objects, &corev1.ConfigMap{ObjectMeta: named(ref.Namespace, cluster.Namespace, ref.Name)})
	}
	return objects
}

// contains reports whether a list by name contains the object.
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
