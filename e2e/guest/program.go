package guest

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/capnt/capnt/e2e/guest/process"
)

const (
	// programRestart is the pause before a program that has exited is restarted.
	programRestart = time.Second
	// programGrace is how long a program may take to exit after SIGTERM.
	programGrace = 10 * time.Second
	programLog   = "output.log"
)

// program is a Deployment for whose image Options.Programs contains a binary. The binary runs as one process on this
// machine, with the arguments, mounted files and ServiceAccount of the Deployment's Pods.
type program struct {
	deployment *appsv1.Deployment
	binary     string
	// host is the address of the first control plane. Programs use it because they run in the host's network.
	host   string
	cancel context.CancelFunc
	done   chan struct{}
}

// programs contains the programs of one cluster.
type programs struct {
	host string
	of   map[client.ObjectKey]*program
}

// binaryOf returns the binary for the image of a Deployment, or an empty string if there is no binary. The key of the
// binary is the last element of the image's path without the tag.
func (h *Hypervisor) binaryOf(deployment *appsv1.Deployment) string {
	containers := deployment.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		return ""
	}
	name, _, _ := strings.Cut(path.Base(containers[0].Image), ":")
	return h.options.Programs[name]
}

// servePrograms runs the programs of the cluster's Deployments until ctx is cancelled.
func (c *cluster) servePrograms(ctx context.Context, admin client.WithWatch, host string) {
	running := &programs{host: host, of: map[client.ObjectKey]*program{}}
	defer func() {
		for _, p := range running.of {
			p.stop()
		}
	}()
	for ctx.Err() == nil {
		if err := c.watchPrograms(ctx, admin, running); err != nil && ctx.Err() == nil {
			c.hypervisor.options.Log.V(1).Info("watching Deployments", "endpoint", c.endpoint, "reason", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(podsRetry):
		}
	}
}

func (c *cluster) watchPrograms(ctx context.Context, admin client.WithWatch, programs *programs) error {
	var deployments appsv1.DeploymentList
	if err := admin.List(ctx, &deployments); err != nil {
		return fmt.Errorf("listing Deployments: %w", err)
	}
	for key, p := range programs.of {
		if !slices.ContainsFunc(deployments.Items, func(d appsv1.Deployment) bool { return client.ObjectKeyFromObject(&d) == key }) {
			p.stop()
			delete(programs.of, key)
		}
	}
	for i := range deployments.Items {
		c.follow(ctx, admin, programs, &deployments.Items[i])
	}
	changes, err := admin.Watch(ctx, &appsv1.DeploymentList{}, &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: deployments.ResourceVersion},
	})
	if err != nil {
		return fmt.Errorf("watching Deployments: %w", err)
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		deployment, ok := change.Object.(*appsv1.Deployment)
		if !ok {
			return fmt.Errorf("watching Deployments: %v", change.Object)
		}
		if change.Type == "DELETED" {
			now := metav1.Now()
			deployment.DeletionTimestamp = &now
		}
		c.follow(ctx, admin, programs, deployment)
	}
	return nil
}

// follow starts, restarts or stops the program of a Deployment, so that it matches the Deployment.
func (c *cluster) follow(ctx context.Context, admin client.WithWatch, programs *programs, deployment *appsv1.Deployment) {
	key := client.ObjectKeyFromObject(deployment)
	running, binary := programs.of[key], c.hypervisor.binaryOf(deployment)
	wanted := binary != "" && deployment.DeletionTimestamp.IsZero()
	if running != nil && wanted && running.deployment.Generation == deployment.Generation {
		return
	}
	if running != nil {
		running.stop()
		delete(programs.of, key)
	}
	if !wanted {
		return
	}
	life, cancel := context.WithCancel(ctx)
	p := &program{deployment: deployment, binary: binary, host: programs.host, cancel: cancel, done: make(chan struct{})}
	programs.of[key] = p
	go func() {
		defer close(p.done)
		c.runProgram(life, admin, p)
	}()
}

func (p *program) stop() {
	p.cancel()
	<-p.done
}

// runProgram runs the program and restarts it when it exits, until ctx is cancelled.
func (c *cluster) runProgram(ctx context.Context, admin client.Client, p *program) {
	for ctx.Err() == nil {
		if err := c.runOnce(ctx, admin, p); err != nil && ctx.Err() == nil {
			c.hypervisor.options.Log.Info("program is started again", "program", p.deployment.Name, "endpoint", c.endpoint, "reason", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(programRestart):
		}
	}
}

// runOnce writes the files of the Pod, starts the process, and waits until the process exits or ctx is cancelled.
func (c *cluster) runOnce(ctx context.Context, admin client.Client, p *program) error {
	mounted, err := c.mount(ctx, admin, p.deployment, c.programDir(p))
	if err != nil {
		return err
	}
	container := p.deployment.Spec.Template.Spec.Containers[0]
	started, err := process.Start(process.Spec{
		Name: p.deployment.Name + " of " + c.endpoint, Path: p.binary,
		Args: append(mounted.arguments(append(slices.Clone(container.Command[min(1, len(container.Command)):]), container.Args...)),
			"--kubeconfig="+mounted.kubeconfig, "--bind-address="+p.host),
		Env: environment(container, p.deployment),
		Log: filepath.Join(c.programDir(p), programLog),
	})
	if err != nil {
		return err
	}
	c.setProgram(started, true)
	defer c.setProgram(started, false)
	err = retry(ctx, "writing the status of Deployment "+p.deployment.Name, func(ctx context.Context) error {
		select {
		case <-started.Done():
			return nil
		default:
			return client.IgnoreNotFound(c.setAvailable(ctx, admin, p.deployment))
		}
	})
	if err != nil && ctx.Err() == nil {
		c.hypervisor.options.Log.Info("status of a Deployment could not be written", "name", p.deployment.Name, "reason", err.Error())
	}
	select {
	case <-started.Done():
		return fmt.Errorf("%s has ended: %v; its output is in %s", started.Name(), started.Err(), started.Log())
	case <-ctx.Done():
		return started.Stop(programGrace)
	}
}

// setAvailable sets the Deployment's status to available, as the Deployment controller would.
func (c *cluster) setAvailable(ctx context.Context, admin client.Client, deployment *appsv1.Deployment) error {
	base := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: deployment.Namespace, Name: deployment.Name}}
	changed, replicas := base.DeepCopy(), int32(1)
	changed.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
	}
	return admin.Status().Patch(ctx, changed, client.MergeFrom(base))
}

func (c *cluster) programDir(p *program) string {
	return filepath.Join(c.hypervisor.programsDir(), strings.ReplaceAll(c.endpoint, ":", "-"), p.deployment.Namespace+"-"+p.deployment.Name)
}

func (h *Hypervisor) programsDir() string { return filepath.Join(h.options.Dir, "programs") }

func (c *cluster) setProgram(p *process.Process, on bool) {
	c.running.Lock()
	defer c.running.Unlock()
	c.processes = slices.DeleteFunc(c.processes, func(known *process.Process) bool { return known == p })
	if on {
		c.processes = append(c.processes, p)
	}
}

func (c *cluster) processNames() []string {
	c.running.Lock()
	defer c.running.Unlock()
	var names []string
	for _, p := range c.processes {
		names = append(names, p.Name())
	}
	return names
}

// ProgramLogs returns the paths of the output files of all programs, including those that have exited.
func (h *Hypervisor) ProgramLogs() []string {
	// Glob returns an error only for an invalid pattern, and this pattern is valid.
	logs, _ := filepath.Glob(filepath.Join(h.programsDir(), "*", "*", programLog))
	return logs
}
