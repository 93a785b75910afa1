package cli

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
)

// inputsFrom returns the inputs for the plans among objects. The machine, the cluster and the namespace of a plan are among the objects,
// too.
func inputsFrom(objects []client.Object) []policy.Input {
	var inputs []policy.Input
	for _, object := range objects {
		if plan, isPlan := object.(*infrav1.NutanixPlan); isPlan {
			inputs = append(inputs, inputFrom(plan, objects))
		}
	}
	return inputs
}

func inputFrom(plan *infrav1.NutanixPlan, objects []client.Object) policy.Input {
	input := policy.Input{Plan: plan}
	target := plan.Spec.Target
	var machines []infrav1.NutanixMachine
	for _, object := range objects {
		switch object := object.(type) {
		case *infrav1.NutanixMachine:
			if target.Kind == kindMachine && object.Namespace == target.Namespace && object.Name == target.Name {
				input.Machine = object
			}
			machines = append(machines, *object)
		case *infrav1.NutanixCluster:
			if object.Namespace == target.Namespace && isClusterOf(plan, object) {
				input.Cluster = object
			}
		case *corev1.Namespace:
			if object.Name == target.Namespace {
				input.Namespace = object
			}
		}
	}
	if len(machines) > 0 {
		input.MachineCount = countMachines(plan, machines)
	}
	return input
}

// isClusterOf reports whether a NutanixCluster is the target of a plan or the cluster of its target.
func isClusterOf(plan *infrav1.NutanixPlan, cluster *infrav1.NutanixCluster) bool {
	if plan.Spec.Target.Kind == kindCluster {
		return cluster.Name == plan.Spec.Target.Name
	}
	name := plan.Spec.Origin.Cluster
	return name != "" && (cluster.Labels[clusterv1.ClusterNameLabel] == name || cluster.Name == name)
}

// countMachines returns the number of machines of the cluster of a plan that are not being deleted.
func countMachines(plan *infrav1.NutanixPlan, machines []infrav1.NutanixMachine) *int64 {
	var count int64
	for _, machine := range machines {
		if machine.Namespace == plan.Spec.Target.Namespace && machine.DeletionTimestamp.IsZero() &&
			machine.Labels[clusterv1.ClusterNameLabel] == plan.Spec.Origin.Cluster {
			count++
		}
	}
	return &count
}

// inputsFromCluster returns the inputs for plans of the cluster.
func (a *app) inputsFromCluster(ctx context.Context, names []string) ([]policy.Input, error) {
	cluster, err := a.connect()
	if err != nil {
		return nil, err
	}
	objects, err := objectsOfNamespace(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var inputs []policy.Input
	for _, input := range inputsFrom(objects) {
		if slices.Contains(names, input.Plan.Name) {
			inputs = append(inputs, input)
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == input.Plan.Name })
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("plan %s/%s does not exist", cluster.Namespace, names[0])
	}
	return inputs, nil
}

// objectsOfNamespace returns the plans, machines and clusters of the namespace, and the namespace itself if the user may read it.
func objectsOfNamespace(ctx context.Context, cluster *Cluster) ([]client.Object, error) {
	plans, machines, clusters := &infrav1.NutanixPlanList{}, &infrav1.NutanixMachineList{}, &infrav1.NutanixClusterList{}
	for _, list := range []client.ObjectList{plans, machines, clusters} {
		if err := cluster.List(ctx, list, client.InNamespace(cluster.Namespace)); err != nil {
			return nil, fmt.Errorf("listing objects of namespace %s: %w", cluster.Namespace, err)
		}
	}
	var objects []client.Object
	for i := range plans.Items {
		objects = append(objects, &plans.Items[i])
	}
	for i := range machines.Items {
		objects = append(objects, &machines.Items[i])
	}
	for i := range clusters.Items {
		objects = append(objects, &clusters.Items[i])
	}
	namespace := &corev1.Namespace{}
	switch err := cluster.Get(ctx, client.ObjectKey{Name: cluster.Namespace}, namespace); {
	case err == nil:
		objects = append(objects, namespace)
	case !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading namespace %s: %w", cluster.Namespace, err)
	}
	return objects, nil
}
