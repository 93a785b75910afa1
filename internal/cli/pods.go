package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/kubeconfig"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// podsTimeout limits how long the pods of a Node are searched for. The workload cluster can be unreachable from where the program runs.
const podsTimeout = 5 * time.Second

// podsOf returns the number of pods on the Node of a machine that have not ended. It uses the kubeconfig of the workload cluster in the
// Secret that Cluster API writes, so the user of the program must be allowed to read this Secret.
func podsOf(ctx context.Context, cluster *Cluster, machine *clusterv1.Machine) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, podsTimeout)
	defer cancel()
	content, err := kubeconfig.FromSecret(ctx, cluster, client.ObjectKey{Namespace: machine.Namespace, Name: machine.Spec.ClusterName})
	if err != nil {
		return 0, fmt.Errorf("reading the kubeconfig of the workload cluster: %w", err)
	}
	config, err := workloadConfig(content)
	if err != nil {
		return 0, err
	}
	workload, err := metadata.NewForConfig(config)
	if err != nil {
		return 0, fmt.Errorf("connecting to the workload cluster: %w", err)
	}
	running := fields.AndSelectors(fields.OneTermEqualSelector("spec.nodeName", machine.Status.NodeRef.Name),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)), fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)))
	pods, err := workload.Resource(corev1.SchemeGroupVersion.WithResource("pods")).List(ctx, metav1.ListOptions{FieldSelector: running.String()})
	if err != nil {
		return 0, fmt.Errorf("listing the pods in the workload cluster: %w", err)
	}
	return len(pods.Items), nil
}

// workloadConfig parses a kubeconfig. It rejects a kubeconfig that refers to programs or files. Otherwise a user with write access to the
// Secret could run programs or read files on the computer of the user who runs capnt.
func workloadConfig(content []byte) (*rest.Config, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		return nil, fmt.Errorf("parsing the kubeconfig of the workload cluster: %w", err)
	}
	if config.ExecProvider != nil || config.AuthProvider != nil || config.BearerTokenFile != "" ||
		config.CAFile != "" || config.CertFile != "" || config.KeyFile != "" {
		return nil, errors.New("parsing the kubeconfig of the workload cluster: it refers to programs or files, which is not permitted here")
	}
	config.Timeout = podsTimeout
	return config, nil
}
