package ccm

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/loadbalancer"
)

// identifyPeriod is how often the API server is asked until it answers.
const identifyPeriod = time.Second

// identify gives what tells this cluster from another of the same name. It waits for the API server, and for no right: without
// that there is no ID, and the marks of what is made have none.
func (c *Cloud) identify(ctx context.Context, client kubernetes.Interface, tell teller) (id string) {
	settings := c.config.Current()
	if !settings.LoadBalancer.Offered() && !settings.Routes.Enabled {
		return ""
	}
	// It ends with an error only when the process does.
	_ = wait.PollUntilContextCancel(ctx, identifyPeriod, true, func(ctx context.Context) (bool, error) {
		namespace, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		switch {
		case err == nil:
			id = loadbalancer.ClusterID(namespace.UID)
		case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
			tell.warn(ReasonUnidentified, "Nothing tells this cluster from another with the same clusterName", err)
		default:
			klog.FromContext(ctx).Error(err, "Reading which cluster this is")
			return false, nil
		}
		return true, nil
	})
	return id
}
