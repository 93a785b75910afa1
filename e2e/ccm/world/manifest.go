package world

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
)

// Deployment is what config/ccm deploys, as far as it matters to a process on this machine.
type Deployment struct {
	Namespace, ServiceAccount string
	// Flags are the arguments of the container.
	Flags []string

	objects []runtime.Object
}

// LoadDeployment reads all manifests in a directory.
func LoadDeployment(dir string) (*Deployment, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("loading manifests of the cloud controller manager: %s has none: %w", dir, err)
	}
	d := &Deployment{}
	for _, path := range paths {
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("loading manifests of the cloud controller manager: %w", err)
		}
		if err := d.add(raw); err != nil {
			return nil, fmt.Errorf("loading manifest %s: %w", path, err)
		}
	}
	if d.ServiceAccount == "" {
		return nil, fmt.Errorf("loading manifests of the cloud controller manager: %s has no Deployment", dir)
	}
	return d, nil
}

func (d *Deployment) add(raw []byte) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return err
		}
		if deployment, ok := object.(*appsv1.Deployment); ok {
			pod := deployment.Spec.Template.Spec
			d.Namespace, d.ServiceAccount = deployment.Namespace, pod.ServiceAccountName
			d.Flags = append(append([]string{}, pod.Containers[0].Command[min(1, len(pod.Containers[0].Command)):]...), pod.Containers[0].Args...)
		}
		d.objects = append(d.objects, object)
	}
}

// Apply creates ServiceAccount, roles and bindings, unless they exist.
func (d *Deployment) Apply(ctx context.Context, kube kubernetes.Interface) error {
	for _, object := range d.objects {
		if err := create(ctx, kube, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("applying manifests of the cloud controller manager: %w", err)
		}
	}
	if err := d.awaitRights(ctx, kube); err != nil {
		return fmt.Errorf("waiting for the rights of the cloud controller manager: %w", err)
	}
	return nil
}

// awaitRights waits until the API server heeds the roles: one right of each binding.
func (d *Deployment) awaitRights(ctx context.Context, kube kubernetes.Interface) error {
	user := "system:serviceaccount:" + d.Namespace + ":" + d.ServiceAccount
	return wait.PollUntilContextTimeout(ctx, pollInterval, patience, true, func(ctx context.Context) (bool, error) {
		for _, right := range []authorizationv1.ResourceAttributes{
			{Verb: "list", Resource: "nodes"},
			{Verb: "list", Resource: "secrets", Namespace: d.Namespace, Name: credentials},
			{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication"},
		} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &right}}
			answer, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil || !answer.Status.Allowed {
				return false, err
			}
		}
		return true, nil
	})
}

func create(ctx context.Context, kube kubernetes.Interface, object runtime.Object) error {
	var err error
	switch o := object.(type) {
	case *corev1.ServiceAccount:
		_, err = kube.CoreV1().ServiceAccounts(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.ClusterRole:
		_, err = kube.RbacV1().ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.ClusterRoleBinding:
		_, err = kube.RbacV1().ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.Role:
		_, err = kube.RbacV1().Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	case *rbacv1.RoleBinding:
		_, err = kube.RbacV1().RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
	}
	return err
}
