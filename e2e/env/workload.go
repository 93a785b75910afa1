package env

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WorkloadConfig returns the client configuration in the kubeconfig Secret that Cluster API creates for a workload
// cluster.
func (e *Environment) WorkloadConfig(ctx context.Context, cluster client.ObjectKey) (*rest.Config, error) {
	var kubeconfig corev1.Secret
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: secret.Name(cluster.Name, secret.Kubeconfig)}
	if err := e.Client.Get(ctx, key, &kubeconfig); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of Cluster %s: %w", cluster, err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig.Data[secret.KubeconfigDataName])
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of Cluster %s: %w", cluster, err)
	}
	return config, nil
}

// Workload returns a client for a workload cluster. The client supports the built-in kinds of Kubernetes.
func (e *Environment) Workload(ctx context.Context, cluster client.ObjectKey) (client.Client, error) {
	config, err := e.WorkloadConfig(ctx, cluster)
	if err != nil {
		return nil, err
	}
	made, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client of Cluster %s: %w", cluster, err)
	}
	return made, nil
}
