package nutanixfailuredomain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestUsage(t *testing.T) {
	now := metav1.Now()
	deletingMachine := newMachine("ns", "m-1", "fd-1")
	deletingMachine.DeletionTimestamp = &now
	deletingDeployment := newMachineDeployment("ns", "md-1", "fd-1")
	deletingDeployment.DeletionTimestamp = &now
	deletingCluster := newNutanixCluster("ns", "fd-1")
	deletingCluster.DeletionTimestamp = &now
	inlineCluster := newNutanixCluster("ns")
	inlineCluster.Spec.FailureDomains = []infrav1.NutanixFailureDomainConfig{{Name: "fd-1"}}

	for name, tc := range map[string]struct {
		found    candidates
		users    []user
		clusters []string
	}{
		"no objects": {},
		"other failure domains are named": {
			found: candidates{
				nutanixClusters:    clusters(newNutanixCluster("ns", "fd-2", "NutanixMetro/fd-1")),
				machineDeployments: deployments(newMachineDeployment("ns", "md-1", "fd-2")),
				machines:           machines(newMachine("ns", "m-1", ""), newMachine("ns", "m-2", "fd-10")),
			},
		},
		"named by all kinds, listed in order": {
			found: candidates{
				nutanixClusters:    clusters(newNutanixCluster("ns", "fd-2", "fd-1")),
				machineDeployments: deployments(newMachineDeployment("ns", "md-1", "fd-1")),
				machines:           machines(newMachine("ns", "m-2", "fd-1"), newMachine("ns", "m-1", "fd-1")),
			},
			users: []user{
				{kindNutanixCluster, "c-infra", "c"}, {kindMachineDeployment, "md-1", "c"}, {kindMachine, "m-1", "c"}, {kindMachine, "m-2", "c"},
			},
			clusters: []string{"c-infra"},
		},
		"a worker's cluster counts although its control plane is elsewhere": {
			found: candidates{
				nutanixClusters:    clusters(newNutanixCluster("ns", "fd-2")),
				machineDeployments: deployments(newMachineDeployment("ns", "md-1", "fd-1")),
			},
			users:    []user{{kindMachineDeployment, "md-1", "c"}},
			clusters: []string{"c-infra"},
		},
		"objects that are being deleted do not count": {
			found: candidates{
				nutanixClusters:    clusters(deletingCluster),
				machineDeployments: deployments(deletingDeployment),
				machines:           machines(deletingMachine),
			},
		},
		"a failure domain in the cluster's own spec comes first": {
			found: candidates{
				nutanixClusters:    clusters(inlineCluster),
				machineDeployments: deployments(newMachineDeployment("ns", "md-1", "fd-1")),
				machines:           machines(newMachine("ns", "m-1", "fd-1")),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := determineUsage("fd-1", tc.found)
			assert.Equal(t, tc.users, result.users)
			var names []string
			for _, cluster := range result.nutanixClusters {
				names = append(names, cluster.Name)
			}
			assert.Equal(t, tc.clusters, names)
		})
	}
}

func TestUsageMessage(t *testing.T) {
	many := []user{{kind: kindNutanixCluster, name: "c1"}, {kind: kindMachineDeployment, name: "md"}}
	for _, name := range []string{"m1", "m2", "m3", "m4", "m5"} {
		many = append(many, user{kind: kindMachine, name: name})
	}
	for name, tc := range map[string]struct {
		users    []user
		deleting bool
		want     string
	}{
		"one user": {
			users: many[1:2],
			want:  "in use by MachineDeployment md",
		},
		"one user, while being deleted": {
			users:    many[1:2],
			deleting: true,
			want: "deletion waits, because the failure domain is in use by MachineDeployment md: " +
				"name another one in spec.template.spec.failureDomain of the MachineDeployment",
		},
		"many users, while being deleted": {
			users:    many,
			deleting: true,
			want: "deletion waits, because the failure domain is in use by NutanixCluster c1, MachineDeployment md, Machine m1, " +
				"Machine m2, Machine m3 and 2 more: take it out of spec.controlPlaneFailureDomains of the NutanixCluster; " +
				"name another one in spec.template.spec.failureDomain of the MachineDeployment; " +
				"wait until the Machines are replaced, or delete them",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, usageMessage(tc.users, tc.deleting))
		})
	}
}

func clusters(items ...*infrav1.NutanixCluster) (list infrav1.NutanixClusterList) {
	for _, item := range items {
		list.Items = append(list.Items, *item)
	}
	return list
}

func deployments(items ...*clusterv1.MachineDeployment) (list clusterv1.MachineDeploymentList) {
	for _, item := range items {
		list.Items = append(list.Items, *item)
	}
	return list
}

func machines(items ...*clusterv1.Machine) (list clusterv1.MachineList) {
	for _, item := range items {
		list.Items = append(list.Items, *item)
	}
	return list
}
