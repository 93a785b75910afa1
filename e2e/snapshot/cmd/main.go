// Command snapshot runs the manager of a release until a cluster is complete, and writes a snapshot of the cluster as
// test data; see package snapshot. "make release-snapshot" runs the command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/env"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/e2e/snapshot"
	"github.com/capnt/capnt/e2e/stack"
)

// namespace is the namespace in the manifest. The snapshot contains the objects in this namespace.
const namespace = "upgrade"

// timeout limits the creation of the cluster.
const timeout = 30 * time.Minute

func main() {
	repository := flag.String("repository", ".", "Root of the source tree whose end-to-end stack is used.")
	release := flag.String("release", "", "Root of the release's source tree, with its manager in .tools/bin.")
	out := flag.String("out", "", "Directory of the snapshot.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *repository, *release, *out); err != nil {
		fmt.Fprintln(os.Stderr, "snapshot:", err)
		os.Exit(1) //nolint:gocritic // everything is closed
	}
}

func run(ctx context.Context, repository, release, out string) (reterr error) {
	for _, path := range []*string{&repository, &release, &out} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	dir, err := os.MkdirTemp("", "capnt-")
	if err != nil {
		return err
	}
	defer func() { reterr = errors.Join(reterr, os.RemoveAll(dir)) }()
	s, err := start(ctx, dir, repository, release)
	if err != nil {
		return err
	}
	defer func() { reterr = errors.Join(reterr, s.Close()) }()
	if err := createCluster(ctx, s, filepath.Join(repository, "e2e/snapshot/testdata/cluster.yaml")); err != nil {
		return err
	}
	taken, err := snapshot.Take(ctx, s, namespace)
	if err != nil {
		return err
	}
	return taken.Write(out)
}

// start starts a stack in the network of the sample inventory. The stack runs the manager of the release.
func start(ctx context.Context, dir, repository, release string) (*stack.Stack, error) {
	inventory, err := prismsim.LoadInventory(filepath.Join(repository, "e2e/prismsim/testdata/inventory.yaml"))
	if err != nil {
		return nil, err
	}
	provider := stack.Built(release)
	return stack.Start(context.WithoutCancel(ctx), stack.Options{
		Dir: dir, Repository: repository, Network: stack.SampleNetwork(), Inventory: inventory, Provider: &provider,
		Credentials: stack.Credentials{Username: "admin", Password: "your-password"}, Latency: stack.Latencies(time.Second),
		Log:   funcr.New(func(_, line string) { fmt.Println(line) }, funcr.Options{}),
		Phase: func(name string) { fmt.Println("starting the", name) },
	})
}

// createCluster applies the manifest and waits until the cluster is complete and all its Nodes are initialised.
func createCluster(ctx context.Context, s *stack.Stack, manifest string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	objects, err := env.LoadManifest(manifest)
	if err != nil {
		return err
	}
	if err := s.Adapt(objects); err != nil {
		return err
	}
	if objects, err = s.WithCCM(ctx, objects); err != nil {
		return err
	}
	if err := s.Env.Apply(ctx, objects...); err != nil {
		return err
	}
	key := client.ObjectKey{Namespace: namespace, Name: namespace}
	if err := s.WaitComplete(ctx, key); err != nil {
		return err
	}
	_, err = s.WaitNodes(ctx, key)
	return err
}
