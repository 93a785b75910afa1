package stack

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	controlplanev1 "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// WaitComplete waits until a cluster is Available and has exactly the machines that its specs require, and all machines
// are available and up to date. It compares each Machine with the specs, because a status may not reflect a recent
// change of the spec.
func (s *Stack) WaitComplete(ctx context.Context, key client.ObjectKey) error {
	return s.Env.Wait(ctx, "cluster "+key.Name+" to be complete", func(ctx context.Context) (bool, string, error) {
		cluster := &clusterv1.Cluster{}
		if err := s.Env.Client.Get(ctx, key, cluster); err != nil {
			return false, "", err
		}
		done, progress, err := s.complete(ctx, cluster)
		return done, strings.Join(progress, ", "), err
	})
}

// complete reports whether a cluster is complete. If it is not, progress describes what is missing.
func (s *Stack) complete(ctx context.Context, cluster *clusterv1.Cluster) (done bool, progress []string, err error) {
	key := client.ObjectKeyFromObject(cluster)
	sets, err := s.machineSets(ctx, key)
	if err != nil {
		return false, nil, err
	}
	done = current(cluster, clusterv1.AvailableCondition)
	if cluster.Spec.Topology.IsDefined() {
		done = done && current(cluster, clusterv1.ClusterTopologyReconciledCondition)
	}
	outdated, err := s.compareMachines(ctx, key, sets)
	if err != nil {
		return false, nil, err
	}
	progress = outdated
	for _, set := range sets {
		done = done && set.complete()
		progress = append(progress, set.String())
	}
	return done && len(outdated) == 0 && len(sets) > 0, progress, nil
}

// Missing describes why a cluster is not complete: numbers of machines, conditions, and Nodes that are not initialized.
// If the cluster is complete or does not exist, the result is empty.
func (s *Stack) Missing(ctx context.Context, key client.ObjectKey) ([]string, error) {
	cluster := &clusterv1.Cluster{}
	if err := s.Env.Client.Get(ctx, key, cluster); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	done, missing, err := s.complete(ctx, cluster)
	if err != nil || done {
		return nil, err
	}
	if available := conditions.Get(cluster, clusterv1.AvailableCondition); available != nil && available.Status != metav1.ConditionTrue {
		missing = append(missing, strings.Split(available.Message, "\n")...)
	}
	// If the workload cluster does not respond, Missing describes only the objects of the management cluster.
	if workload, err := s.Env.Workload(ctx, key); err == nil {
		if _, waiting, err := uninitialised(ctx, workload); err == nil && len(waiting) > 0 {
			missing = append(missing, "not initialised by capnt-ccm: "+strings.Join(waiting, ", "))
		}
	}
	return missing, nil
}

// compareMachines describes how the Machines of a cluster differ from the specs of the cluster in number, template or
// version.
func (s *Stack) compareMachines(ctx context.Context, key client.ObjectKey, sets []machineSet) ([]string, error) {
	machines, infrastructure := &clusterv1.MachineList{}, &infrav1.NutanixMachineList{}
	if err := s.Env.Client.List(ctx, machines, ofCluster(key)...); err != nil {
		return nil, fmt.Errorf("listing Machines: %w", err)
	}
	if err := s.Env.Client.List(ctx, infrastructure, ofCluster(key)...); err != nil {
		return nil, fmt.Errorf("listing NutanixMachines: %w", err)
	}
	templates := map[string]string{}
	for _, machine := range infrastructure.Items {
		templates[machine.Name] = machine.Annotations[clusterv1.TemplateClonedFromNameAnnotation]
	}
	var wrong []string
	count := map[string]int32{}
	for _, machine := range machines.Items {
		set := machine.Labels[clusterv1.MachineDeploymentNameLabel] + machine.Labels[clusterv1.MachineControlPlaneNameLabel]
		count[set]++
		for _, wanted := range sets {
			if wanted.name == set && (templates[machine.Spec.InfrastructureRef.Name] != wanted.template || machine.Spec.Version != wanted.version) {
				wrong = append(wrong, machine.Name+" is outdated")
			}
		}
	}
	for _, set := range sets {
		if surplus := count[set.name] - ptr.Deref(set.desired, 1); surplus != 0 {
			wrong = append(wrong, fmt.Sprintf("%s has %+d machines", set.name, surplus))
		}
	}
	return wrong, nil
}

// current reports whether a condition of the Cluster is True and was observed at the current generation.
func current(cluster *clusterv1.Cluster, conditionType string) bool {
	condition := conditions.Get(cluster, conditionType)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.ObservedGeneration >= cluster.Generation
}

func ofCluster(key client.ObjectKey) []client.ListOption {
	return []client.ListOption{client.InNamespace(key.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: key.Name}}
}

// machineSets returns the control plane and the MachineDeployments of a cluster.
func (s *Stack) machineSets(ctx context.Context, key client.ObjectKey) ([]machineSet, error) {
	planes := &controlplanev1.KubeadmControlPlaneList{}
	if err := s.Env.Client.List(ctx, planes, ofCluster(key)...); err != nil {
		return nil, fmt.Errorf("listing control planes: %w", err)
	}
	deployments := &clusterv1.MachineDeploymentList{}
	if err := s.Env.Client.List(ctx, deployments, ofCluster(key)...); err != nil {
		return nil, fmt.Errorf("listing MachineDeployments: %w", err)
	}
	var sets []machineSet
	for _, plane := range planes.Items {
		sets = append(sets, machineSet{plane.Name, plane.Spec.MachineTemplate.Spec.InfrastructureRef.Name, plane.Spec.Version, plane.Status.ObservedGeneration >= plane.Generation, plane.Spec.Replicas,
			[]*int32{plane.Status.Replicas, plane.Status.AvailableReplicas, plane.Status.UpToDateReplicas}})
	}
	for _, deployment := range deployments.Items {
		sets = append(sets, machineSet{deployment.Name, deployment.Spec.Template.Spec.InfrastructureRef.Name, deployment.Spec.Template.Spec.Version,
			deployment.Status.ObservedGeneration >= deployment.Generation, deployment.Spec.Replicas,
			[]*int32{deployment.Status.Replicas, deployment.Status.AvailableReplicas, deployment.Status.UpToDateReplicas}})
	}
	return sets, nil
}

// machineSet is a control plane or a MachineDeployment.
type machineSet struct {
	name string
	// template and version are the template and the version that the spec specifies for the Machines.
	template, version string

	observed bool
	desired  *int32
	// counts contains the numbers of existing, available and up-to-date Machines, as reported in the status.
	counts []*int32
}

func (m machineSet) complete() bool {
	for _, count := range m.counts {
		if ptr.Deref(count, -1) != ptr.Deref(m.desired, 1) {
			return false
		}
	}
	return m.observed
}

func (m machineSet) String() string {
	return fmt.Sprintf("%s %d/%d available, %d up to date", m.name, ptr.Deref(m.counts[1], 0), ptr.Deref(m.desired, 1), ptr.Deref(m.counts[2], 0))
}
