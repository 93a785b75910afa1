package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// Restore restores the snapshot in the stack to, whose manager must not be running. It restores the objects with UIDs
// and status, the VMs, and the objects that install the cloud controller manager. It replaces the addresses and the
// trust bundle of Prism Central in the snapshot with those of the stack. Guests of VMs that were powered on boot with
// empty disks.
func (s *Snapshot) Restore(ctx context.Context, to *stack.Stack) error {
	objects, prism, err := s.moved(to.Options().Network)
	if err != nil {
		return err
	}
	if err := to.Adapt(objects); err != nil {
		return err
	}
	namespaces := map[string]bool{}
	for _, object := range objects {
		namespaces[object.GetNamespace()] = true
	}
	for name := range namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := to.Env.Client.Create(ctx, namespace); err != nil {
			return fmt.Errorf("restoring a snapshot: creating its namespace: %w", err)
		}
	}
	if err := to.Env.Restore(ctx, objects); err != nil {
		return err
	}
	if err := to.Prism.Restore(prism); err != nil {
		return err
	}
	return s.installCCM(ctx, to, objects)
}

// installCCM applies the objects that install the cloud controller manager in the clusters, because a snapshot does not
// contain these objects.
func (s *Snapshot) installCCM(ctx context.Context, to *stack.Stack, objects []*unstructured.Unstructured) error {
	var clusters []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "Cluster" {
			clusters = append(clusters, object.DeepCopy())
		}
	}
	all, err := to.WithCCM(ctx, clusters)
	if err != nil {
		return err
	}
	s.Installers = all[len(clusters):]
	return to.Env.Apply(ctx, s.Installers...)
}

// moved returns copies of the snapshot's objects and Prism Central content, with the addresses of the given network.
func (s *Snapshot) moved(network stack.Network) ([]*unstructured.Unstructured, *prismsim.Snapshot, error) {
	move := mover{network}
	objects := make([]*unstructured.Unstructured, 0, len(s.Objects))
	for _, object := range s.Objects {
		moved, ok := move.value(object.DeepCopy().Object).(map[string]any)
		if !ok {
			return nil, nil, fmt.Errorf("moving %s %s to another network: it is no longer an object", object.GetKind(), object.GetName())
		}
		objects = append(objects, &unstructured.Unstructured{Object: moved})
	}
	raw, err := json.Marshal(s.Prism)
	if err != nil {
		return nil, nil, fmt.Errorf("moving a snapshot to another network: %w", err)
	}
	prism, err := prismsim.ParseSnapshot(move.bytes(raw))
	return objects, prism, err
}

// AdmitGuests waits until the first control plane machines have restarted the workload clusters. The other machines
// cannot join with the bootstrap tokens in the snapshot, because these tokens have expired. AdmitGuests therefore
// creates the tokens again.
func (s *Snapshot) AdmitGuests(ctx context.Context, in *stack.Stack) error {
	for _, cluster := range s.Clusters() {
		for _, token := range s.tokens() {
			err := in.Env.Wait(ctx, "cluster "+cluster.Name+" to take a bootstrap token", func(ctx context.Context) (bool, string, error) {
				workload, err := in.Env.Workload(ctx, cluster)
				if err != nil {
					return false, "", err
				}
				err = workload.Create(ctx, bootstrapToken(token))
				return err == nil, "", client.IgnoreAlreadyExists(err)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// tokens returns the bootstrap tokens that are contained in the bootstrap data of joining machines.
func (s *Snapshot) tokens() []string {
	var tokens []string
	for _, object := range s.Objects {
		if token, found, _ := unstructured.NestedString(object.Object, "spec", "joinConfiguration", "discovery", "bootstrapToken", "token"); found {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

func bootstrapToken(token string) *corev1.Secret {
	id, secret, _ := strings.Cut(token, ".")
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: bootstrapapi.BootstrapTokenSecretPrefix + id},
		Type:       bootstrapapi.SecretTypeBootstrapToken,
		StringData: map[string]string{
			bootstrapapi.BootstrapTokenIDKey: id, bootstrapapi.BootstrapTokenSecretKey: secret,
			bootstrapapi.BootstrapTokenUsageAuthentication: "true",
			bootstrapapi.BootstrapTokenExtraGroupsKey:      "system:bootstrappers:kubeadm:default-node-token",
		},
	}
}
