// Package demo creates a running cluster from a Cluster API manifest, deletes the cluster, and prints each step. The
// manager plans, records and applies every virtual machine with Terraform.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/stack"
)

// Options are the options of the demo, which correspond to command-line flags.
type Options struct {
	// Repository is the root of the source tree.
	Repository string
	// Manifest and Inventory are the paths of files. If a path is empty, the demo uses the sample file.
	Manifest, Inventory string
	// Keep leaves the cluster running until the demo is interrupted.
	Keep bool
	// CreateLatency is how long Prism Central takes to create a virtual machine.
	CreateLatency time.Duration
	// Timeout limits the duration of the creation of the cluster, and separately the duration of its deletion.
	Timeout time.Duration
	// Out receives the output.
	Out *Screen
}

// Demo is one run of the demo.
type Demo struct {
	Options
	dir     string
	objects []*unstructured.Unstructured
	// installers are the objects that install capnt-ccm in the workload clusters.
	installers []*unstructured.Unstructured
	stack      *stack.Stack
}

// Run runs the whole demo. It returns an error if a step fails, or if the deleted clusters leave anything behind in Prism
// Central, in the management cluster, or on this machine.
func Run(ctx context.Context, options Options) (reterr error) {
	d := &Demo{Options: options}
	var err error
	if d.Repository, err = filepath.Abs(options.Repository); err != nil {
		return fmt.Errorf("finding the source tree: %w", err)
	}
	if d.dir, err = os.MkdirTemp("", "capnt-"); err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { reterr = errors.Join(reterr, d.close()) }()
	for _, step := range []func(context.Context) error{d.start, d.apply, d.prove, d.approve, d.keep, d.delete} {
		if err := step(ctx); errors.Is(err, context.Canceled) {
			return errors.New("interrupted before it was complete")
		} else if err != nil {
			return err
		}
	}
	d.Out.Done("The demo is complete")
	return nil
}

func (d *Demo) close() error {
	if d.stack == nil {
		return os.RemoveAll(d.dir)
	}
	d.Out.Phase("Stopping everything")
	return errors.Join(d.stack.Close(), os.RemoveAll(d.dir))
}

// start reads the manifest and the inventory, and starts the stack.
func (d *Demo) start(ctx context.Context) error {
	network, err := stack.FreeNetwork()
	if err != nil {
		return err
	}
	inventory, err := d.inventory(network)
	if err != nil {
		return err
	}
	manifest := d.Manifest
	if manifest == "" {
		manifest = filepath.Join(d.Repository, "e2e/demo/testdata/my-nutanix-cluster.yaml")
	}
	if d.objects, err = env.LoadManifest(manifest); err != nil {
		return err
	}
	credentials, err := stack.CredentialsIn(d.objects)
	if err != nil {
		return err
	}
	// An interrupt must not stop the stack, because the demo still has to delete the cluster after the interrupt.
	d.stack, err = stack.Start(context.WithoutCancel(ctx), stack.Options{
		Dir: d.dir, Repository: d.Repository, Network: network, Inventory: inventory, Credentials: credentials,
		Latency: stack.Latencies(d.CreateLatency), Log: logr.Discard(),
		ManagerArgs: []string{"--audit-log-path=" + d.auditLog(), "--drift-interval=" + driftInterval.String(),
			"--health-check-interval=" + driftInterval.String()},
		Phase: func(name string) { d.Out.Phase("Starting the %s", name) },
	})
	if err != nil {
		return err
	}
	d.Out.Line("Prism Central  %s", d.stack.Prism.URL())
	d.Out.Line("Inventory      %d Prism Elements, %d subnets, %d images", len(inventory.PrismElements), len(inventory.Subnets), len(inventory.Images))
	return nil
}

func (d *Demo) inventory(network stack.Network) (*prismsim.Inventory, error) {
	path := d.Inventory
	if path == "" {
		path = filepath.Join(d.Repository, "e2e/prismsim/testdata/inventory.yaml")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading inventory: %w", err)
	}
	return prismsim.ParseInventory([]byte(network.Move(string(content))))
}

// apply applies the manifest and prints the progress until all clusters in the manifest are Available.
func (d *Demo) apply(ctx context.Context) error {
	if err := d.stack.Adapt(d.objects); err != nil {
		return err
	}
	objects, err := d.stack.WithCCM(ctx, d.objects)
	if err != nil {
		return err
	}
	d.installers = objects[len(d.objects):]
	d.Out.Phase("kubectl apply: %d objects, and the ClusterResourceSet that installs capnt-ccm in the new cluster", len(d.objects))
	if err := d.stack.Env.Apply(ctx, objects...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	watcher := d.watch(ctx, d.missing)
	defer watcher.stop()
	started := time.Now()
	for _, cluster := range d.clusters() {
		if err := d.stack.WaitComplete(ctx, client.ObjectKeyFromObject(cluster)); err != nil {
			return d.explain(ctx, err)
		}
		watcher.tree(ctx, client.ObjectKeyFromObject(cluster))
		d.Out.Done("Cluster %s is Available with all its machines after %s", cluster.Name, time.Since(started).Round(time.Second))
		if err := d.nodes(ctx, cluster); err != nil {
			return err
		}
	}
	return nil
}

// clusters returns the Clusters of the manifest.
func (d *Demo) clusters() []*clusterv1.Cluster {
	var clusters []*clusterv1.Cluster
	for _, object := range d.objects {
		if object.GetKind() != clusterv1.ClusterKind {
			continue
		}
		cluster := &clusterv1.Cluster{}
		cluster.Name, cluster.Namespace = object.GetName(), namespace(object)
		clusters = append(clusters, cluster)
	}
	return clusters
}

func namespace(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return "default"
	}
	return object.GetNamespace()
}

// keep waits until the user interrupts the demo.
func (d *Demo) keep(ctx context.Context) error {
	if !d.Keep {
		return nil
	}
	d.Out.Phase("Everything stays up (KEEP=1). Press Ctrl-C to delete it and end")
	credentials := d.stack.Options().Credentials
	authority, err := d.file("prism-central-ca.pem", d.stack.Prism.CABundle())
	if err != nil {
		return err
	}
	d.Out.Line("Management cluster  export KUBECONFIG=%s", d.stack.Env.Kubeconfig())
	for _, cluster := range d.clusters() {
		path, err := d.workloadKubeconfig(ctx, cluster)
		if err != nil {
			return err
		}
		d.Out.Line("Workload cluster    export KUBECONFIG=%s", path)
	}
	d.Out.Line("Prism Central       %s   user %s   password %s   CA %s", d.stack.Prism.URL(), credentials.Username, credentials.Password, authority)
	d.Out.Line("State of Prism      curl --cacert %s -u %s:%s %s/sim/state", authority, credentials.Username, credentials.Password, d.stack.Prism.URL())
	d.Out.Line("Manager log         %s", d.stack.Env.ManagerLog())
	for _, log := range d.stack.Guests.ProgramLogs() {
		d.Out.Line("capnt-ccm log       %s", log)
	}
	d.Out.Line("clusterctl          %s describe cluster ...", d.stack.Tool("bin/clusterctl"))
	<-ctx.Done()
	return nil
}

// delete deletes the objects of the manifest and checks that they leave nothing behind.
func (d *Demo) delete(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Timeout)
	defer cancel()
	d.Out.Phase("kubectl delete: all %d objects at once, the credentials too, and what installed capnt-ccm", len(d.objects))
	watcher := d.watch(ctx, d.remaining)
	defer watcher.stop()
	gone := make([]client.Object, 0, len(d.objects)+len(d.installers))
	for _, object := range slices.Concat(d.objects, d.installers) {
		object.SetNamespace(namespace(object))
		if err := client.IgnoreNotFound(d.stack.Env.Client.Delete(ctx, object)); err != nil {
			return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		gone = append(gone, object)
	}
	if err := d.stack.Env.WaitForGone(ctx, gone...); err != nil {
		return d.explain(ctx, err)
	}
	return d.proveGone(ctx)
}

// missing describes what the clusters still need to be complete.
func (d *Demo) missing(ctx context.Context) ([]string, error) {
	return d.ofClusters(ctx, d.stack.Missing)
}

// remaining describes what still exists of the clusters that are being deleted.
func (d *Demo) remaining(ctx context.Context) ([]string, error) {
	return d.ofClusters(ctx, func(ctx context.Context, key client.ObjectKey) ([]string, error) {
		return d.stack.LeftoversOf(ctx, key.Namespace, key.Name)
	})
}

func (d *Demo) ofClusters(ctx context.Context, look func(context.Context, client.ObjectKey) ([]string, error)) ([]string, error) {
	var all []string
	for _, cluster := range d.clusters() {
		seen, err := look(ctx, client.ObjectKeyFromObject(cluster))
		if err != nil {
			return nil, err
		}
		for _, line := range seen {
			all = append(all, cluster.Name+": "+line)
		}
	}
	return all, nil
}

// explain prints diagnostics for the error err and returns err. If the user interrupted the demo, it prints nothing.
func (d *Demo) explain(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errors.Join(err, d.stack.Explain(context.WithoutCancel(ctx), d.Out))
}

func (d *Demo) proveGone(ctx context.Context) error {
	for _, cluster := range d.clusters() {
		err := d.stack.Env.Wait(ctx, "nothing of "+cluster.Name+" to be left", func(ctx context.Context) (bool, string, error) {
			left, err := d.stack.LeftoversOf(ctx, cluster.Namespace, cluster.Name)
			if err != nil {
				return false, "", err
			}
			here, err := d.stack.LeftOnMachine()
			return len(left)+len(here) == 0, fmt.Sprint(left, here), err
		})
		if err != nil {
			return err
		}
		d.Out.Done("Nothing of cluster %s is left: no virtual machine, no category value, no Terraform state or lock, no Secret of an addon, no directory, no process", cluster.Name)
	}
	return nil
}
