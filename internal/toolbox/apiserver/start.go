package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/capnt/capnt/internal/toolbox/freeport"
)

const (
	host = "127.0.0.1"
	// timeout limits each step of starting and stopping the API server. It is long enough for a busy machine.
	timeout = 3 * time.Minute
	poll    = 50 * time.Millisecond
	// attempts limits how often the start is tried. An API server exits if it cannot create its own roles within 30 seconds.
	attempts = 3
)

// listen sets all ports of the API server and etcd. Without these ports, envtest would use ephemeral ports. Another process may use such
// a port before the server starts, and then envtest would mistake that process for the server.
func listen(environment *envtest.Environment) error {
	ports, err := freeport.Find(host, 4)
	if err != nil {
		return err
	}
	at := func(i int) string { return net.JoinHostPort(host, strconv.Itoa(ports[i])) }
	etcd, server, hooks := environment.ControlPlane.Etcd, environment.ControlPlane.GetAPIServer(), &environment.WebhookInstallOptions
	etcd.URL = &url.URL{Scheme: "http", Host: at(0)}
	etcd.Configure().Set("listen-peer-urls", "http://"+at(1))
	server.Address, server.Port = host, strconv.Itoa(ports[2])
	hooks.LocalServingHost, hooks.LocalServingPort = host, ports[3]
	return nil
}

// start starts the environment. It replaces the environment's own method Start, which waits at most five seconds for the first namespace.
func start(environment *envtest.Environment) error {
	plane := &environment.ControlPlane
	plane.Etcd.StartTimeout, plane.Etcd.StopTimeout = timeout, timeout
	server := plane.GetAPIServer()
	server.StartTimeout, server.StopTimeout = timeout, timeout
	for attempt := 1; ; attempt++ {
		err := plane.Start()
		if err == nil {
			break
		}
		if err = errors.Join(err, plane.Stop()); attempt == attempts {
			return err
		}
	}
	admin, err := plane.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, &rest.Config{QPS: -1, Burst: -1})
	if err != nil {
		return err
	}
	environment.Config = admin.Config()
	if err := awaitNamespace(environment.Config); err != nil {
		return err
	}
	return install(environment)
}

func install(environment *envtest.Environment) error {
	crds, hooks := &environment.CRDInstallOptions, &environment.WebhookInstallOptions
	crds.MaxTime, hooks.MaxTime = timeout, timeout
	if err := hooks.PrepWithoutInstalling(); err != nil {
		return err
	}
	crds.WebhookOptions = *hooks // makes envtest remove conversion webhooks from the CRDs, because the tests do not serve them
	if _, err := envtest.InstallCRDs(environment.Config, *crds); err != nil {
		return err
	}
	return hooks.Install(environment.Config)
}

// awaitNamespace waits until the namespace default exists. The API server creates this namespace some time after it has become ready.
func awaitNamespace(config *rest.Config) error {
	api, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(context.Background(), poll, timeout, true, func(ctx context.Context) (bool, error) {
		last = api.Get(ctx, client.ObjectKey{Name: corev1.NamespaceDefault}, &corev1.Namespace{})
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the namespace %s: %w: %w", corev1.NamespaceDefault, err, last)
	}
	return nil
}
