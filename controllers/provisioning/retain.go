package provisioning

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/lifecycle"
)

// exportKey is the key in the Secret that contains an exported workspace.
const exportKey = "workspace.tar.gz"

// Retains reports whether the infrastructure of an object that is being deleted stays in Prism Central. It stays if the
// deletion policy is Retain and the Cluster or its namespace is being deleted or no longer exists. Retains reads all
// three past the cache. With a stale cache, the deletion of the object could be visible before the deletion of its
// Cluster, and the VM would be destroyed by mistake. The namespace is read because the deletion of a namespace may
// delete the object before its Cluster.
func (d *Dependencies) Retains(ctx context.Context, cluster *clusterv1.Cluster, nutanixCluster *infrav1.NutanixCluster) (bool, error) {
	current := &infrav1.NutanixCluster{}
	if err := d.Reader.Get(ctx, client.ObjectKeyFromObject(nutanixCluster), current); apierrors.IsNotFound(err) {
		current = nutanixCluster
	} else if err != nil {
		return false, fmt.Errorf("reading the deletion policy of NutanixCluster %s past the cache: %w", client.ObjectKeyFromObject(nutanixCluster), err)
	}
	if current.Spec.Terraform == nil || current.Spec.Terraform.DeletionPolicy != infrav1.TerraformDeletionPolicyRetain {
		return false, nil
	}
	owner := &clusterv1.Cluster{}
	if err := d.Reader.Get(ctx, client.ObjectKeyFromObject(cluster), owner); apierrors.IsNotFound(err) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("reading Cluster %s past the cache: %w", client.ObjectKeyFromObject(cluster), err)
	}
	if !owner.DeletionTimestamp.IsZero() {
		return true, nil
	}
	namespace := &corev1.Namespace{}
	if err := d.Reader.Get(ctx, client.ObjectKey{Name: cluster.Namespace}, namespace); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading Namespace %s past the cache: %w", cluster.Namespace, err)
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

// Retain runs one step of the deletion of an object whose infrastructure stays. It reports true when the workspace is
// exported and the Terraform state is removed. If the process is restarted between these steps, the new process finds
// the exported workspace and continues.
func (d *Dependencies) Retain(ctx context.Context, target lifecycle.Target, cluster string, object Object, status **infrav1.TerraformStatus) (lifecycle.Result, bool, error) {
	target.Retain = true
	target.Hooks.Export = func(ctx context.Context, state []byte, observed map[string][]byte) error {
		return d.export(ctx, target, cluster, target.Workspace.Export(state, observed))
	}
	secret := exportSecret(object, target.Kind)
	err := d.Reader.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	exported := err == nil
	if client.IgnoreNotFound(err) != nil {
		return lifecycle.Result{}, false, fmt.Errorf("reading Secret %s with the exported workspace: %w", client.ObjectKeyFromObject(secret), err)
	}
	if !exported || d.Pipeline.Scheduler.Running(target.Key()) {
		result := d.Pipeline.Step(ctx, target)
		d.Publish(object, status, result)
		if result.State != lifecycle.InSync {
			return result, false, nil
		}
	}
	if err := d.remove(ctx, target); err != nil {
		return lifecycle.Result{}, false, err
	}
	if exported {
		d.Event(object, lifecycle.Event{Type: corev1.EventTypeNormal, Reason: infrav1.RetainedReason, Action: "Export",
			Message: fmt.Sprintf("Left everything in Prism Central and exported the workspace with its Terraform state to Secret %s", secret.Name)})
	}
	return lifecycle.Result{}, true, nil
}

// export writes the files of a workspace, including its state, to a Secret without an owner. The Secret is immutable,
// because only Terraform may change a state. If the namespace is being deleted, nothing is exported: the Secret cannot be
// created and would be deleted with the namespace.
func (d *Dependencies) export(ctx context.Context, target lifecycle.Target, cluster string, files map[string][]byte) error {
	content, err := archive(files)
	if err != nil {
		return err
	}
	secret := exportSecret(target.Object, target.Kind)
	secret.Labels = map[string]string{
		clusterv1.ClusterNameLabel:     cluster,
		infrav1.RetainedWorkspaceLabel: target.Kind,
	}
	secret.Annotations = map[string]string{infrav1.WorkspaceKeyAnnotation: WorkspaceKey(target.Object)}
	secret.Immutable = ptr.To(true)
	secret.Data = map[string][]byte{exportKey: content}
	err = d.Client.Create(ctx, secret)
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		ctrl.LoggerFrom(ctx).Info("Left everything in Prism Central without an exported workspace, because the namespace is being deleted",
			"kind", target.Kind, "object", client.ObjectKeyFromObject(target.Object))
	case err != nil && !apierrors.IsAlreadyExists(err):
		return fmt.Errorf("creating Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	return nil
}

// ExportName returns the name of the Secret with the exported workspace of an object. The name contains the workspace
// key, because an object with the same name may be created later.
func ExportName(object client.Object, kind string) string {
	sum := sha256.Sum256([]byte(kind + "/" + object.GetNamespace() + "/" + object.GetName() + "/" + WorkspaceKey(object)))
	return fmt.Sprintf("%.200s-terraform-%s", object.GetName(), hex.EncodeToString(sum[:5]))
}

func exportSecret(object client.Object, kind string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: ExportName(object, kind)}}
}
