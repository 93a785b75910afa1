package plan

import (
	"k8s.io/apimachinery/pkg/util/sets"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// ClusterOrigin returns author and source of the plans of a NutanixCluster. The accounts of GitOps controllers are the author of no change,
// because they apply the changes of others.
func ClusterOrigin(cluster *infrav1.NutanixCluster, gitOps sets.Set[string]) infrav1.PlanOrigin {
	return infrav1.PlanOrigin{Author: person(cluster.Annotations[infrav1.AuthorAnnotation], gitOps), Source: "NutanixCluster/" + cluster.Name}
}

// MachineOrigin returns author and source of the plans of a NutanixMachine. If the machine was cloned from a template and not changed since,
// this is the author of the template when the machine was created. Otherwise somebody could delete his template, which has no other effect
// on the machine, and approve his own change. A machine that was created before admission recorded this author has the author of the
// present template. template is the template of the machine, or nil if it does not exist any more. The creator of a cloned machine, normally
// a controller of Cluster API, must not approve the plan either, because a user can create a machine that looks cloned.
func MachineOrigin(machine *infrav1.NutanixMachine, template *infrav1.NutanixMachineTemplate, gitOps sets.Set[string]) infrav1.PlanOrigin {
	changedBy := person(machine.Annotations[infrav1.AuthorAnnotation], gitOps)
	name := machine.ClonedFrom()
	if name == "" {
		return infrav1.PlanOrigin{Author: changedBy, Source: "NutanixMachine/" + machine.Name}
	}
	origin := infrav1.PlanOrigin{Creator: changedBy, Source: "NutanixMachineTemplate/" + name}
	if author := machine.Annotations[infrav1.TemplateAuthorAnnotation]; author != "" {
		origin.Author = person(author, gitOps)
	} else if template != nil {
		origin.Author = person(template.Annotations[infrav1.AuthorAnnotation], gitOps)
	}
	return origin
}

// person returns the name of a user, or an empty string for the account of a GitOps controller.
func person(username string, gitOps sets.Set[string]) string {
	if gitOps.Has(username) {
		return ""
	}
	return username
}
