package cli

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Cluster is the management cluster.
type Cluster struct {
	client.WithWatch
	// Namespace is the namespace that the flags or the kubeconfig select.
	Namespace string
	// Username returns the name of the user as the API server sees it.
	Username func(ctx context.Context) (string, error)
}

// connection selects a cluster by the flags of kubectl and the kubeconfig.
type connection struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides
}

// commonFlags are the flags of the connection that the help shows. The others are those of kubectl, too, and are hidden.
var commonFlags = map[string]bool{"kubeconfig": true, "context": true, "namespace": true, "as": true, "request-timeout": true}

// bind adds the flags. They have the same names as those of kubectl.
func (c *connection) bind(flags *pflag.FlagSet) {
	c.rules = clientcmd.NewDefaultClientConfigLoadingRules()
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	own.StringVar(&c.rules.ExplicitPath, "kubeconfig", "", "Path to the kubeconfig file")
	clientcmd.BindOverrideFlags(&c.overrides, own, clientcmd.RecommendedConfigOverrideFlags(""))
	own.VisitAll(func(flag *pflag.Flag) { flag.Hidden = !commonFlags[flag.Name] })
	flags.AddFlagSet(own)
}

// Scheme returns the types that the program reads and writes.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, clusterv1.AddToScheme, infrav1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// open connects to the cluster that the flags select.
func (c *connection) open() (*Cluster, error) {
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(c.rules, &c.overrides)
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	rest, err := config.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	rest.QPS = -1 // the API server limits requests by itself
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	connected, err := client.NewWithWatch(rest, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return &Cluster{WithWatch: connected, Namespace: namespace, Username: func(ctx context.Context) (string, error) {
		review := &authenticationv1.SelfSubjectReview{}
		if err := connected.Create(ctx, review); err != nil {
			return "", fmt.Errorf("asking the API server for the name of the user: %w", err)
		}
		return review.Status.UserInfo.Username, nil
	}}, nil
}

func (a *app) connect() (*Cluster, error) {
	if a.Connect != nil {
		cluster, err := a.Connect()
		if err == nil && a.connection.overrides.Context.Namespace != "" {
			cluster.Namespace = a.connection.overrides.Context.Namespace
		}
		return cluster, err
	}
	return a.connection.open()
}
