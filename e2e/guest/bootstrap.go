package guest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const (
	configMapName = "kubeadm-config"
	configMapKey  = "ClusterConfiguration"
	// kubeadm defines these groups for administrators, and for machines that join with a bootstrap token.
	adminsGroup        = "kubeadm:cluster-admins"
	bootstrappersGroup = "system:bootstrappers:kubeadm:default-node-token"
	nodesGroup         = "system:nodes"
)

// initialize creates the objects that kubeadm init uploads. It creates the ConfigMap last, because Cluster API regards
// the control plane as initialized once the ConfigMap exists.
func (c *cluster) initialize(ctx context.Context, url string, config *clusterConfiguration) error {
	admin, err := c.client(url)
	if err != nil {
		return err
	}
	for _, object := range append(kubeadmRBAC(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: configMapName},
		Data:       map[string]string{configMapKey: string(config.text)},
	}) {
		err := retry(ctx, fmt.Sprintf("creating %T %s", object, object.GetName()), func(ctx context.Context) error {
			return client.IgnoreAlreadyExists(admin.Create(ctx, object))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// kubeadmRBAC returns the permissions that kubeadm grants to administrators, joining machines and the API server.
func kubeadmRBAC() []client.Object {
	binding := func(name, role string, subjects ...rbacv1.Subject) client.Object {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
	}
	group := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
	}
	user := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}
	}
	const readConfig = "kubeadm:nodes-kubeadm-config"
	return []client.Object{
		binding(adminsGroup, "cluster-admin", group(adminsGroup)),
		binding("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", user("kube-apiserver-kubelet-client")),
		binding("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group(bootstrappersGroup)),
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "kubeadm:get-nodes"},
			Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"nodes"}}},
		},
		binding("kubeadm:get-nodes", "kubeadm:get-nodes", group(bootstrappersGroup)),
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: readConfig},
			Rules: []rbacv1.PolicyRule{{
				Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{configMapName},
			}},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: readConfig},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: readConfig},
			Subjects:   []rbacv1.Subject{group(bootstrappersGroup), group(nodesGroup)},
		},
	}
}

// download reads the cluster's configuration with the bootstrap token, as kubeadm join does. It returns an error if the
// cluster does not have the token, for example because the token was deleted.
func (c *cluster) download(ctx context.Context, token string) (*clusterConfiguration, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.keys.ca.Pool(), MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	caller := &http.Client{Transport: transport}
	url := fmt.Sprintf("https://%s/api/v1/namespaces/%s/configmaps/%s", c.endpoint, metav1.NamespaceSystem, configMapName)
	var config clusterConfiguration
	err := retry(ctx, "reading the ConfigMap kubeadm-config with the bootstrap token", func(ctx context.Context) error {
		var object corev1.ConfigMap
		if err := get(ctx, caller, url, token, &object); err != nil {
			return err
		}
		return yaml.Unmarshal([]byte(object.Data[configMapKey]), &config)
	})
	return &config, err
}

func get(ctx context.Context, caller *http.Client, url, token string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return apierrors.NewGenericServerResponse(response.StatusCode, "GET", corev1.Resource("configmaps"), configMapName, string(body), 0, false)
	}
	return json.Unmarshal(body, into)
}
