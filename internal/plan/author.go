package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Author is the user who made the change that a plan contains. The author must not approve the plan.
type Author struct {
	// Username is empty if no author is known, for example because a GitOps controller made the change.
	Username string
	// Source is the kind and name of the object that the author created or changed.
	Source string

	// users are all users who may have made the change.
	users []string
}

// Wrote reports whether the user made the change or may have made it.
func (a Author) Wrote(username string) bool { return slices.Contains(a.users, username) }

// ClusterAuthor returns the author of a NutanixCluster. The accounts of GitOps controllers are never authors, because they apply the changes
// of others.
func ClusterAuthor(cluster *infrav1.NutanixCluster, gitOps sets.Set[string]) Author {
	username := cluster.Annotations[infrav1.AuthorAnnotation]
	return newAuthor(username, "NutanixCluster/"+cluster.Name, gitOps, username)
}

// MachineAuthor returns the author of a NutanixMachine. If the machine was cloned from a template and not changed since, this is the author of
// the template. template is nil if it does not exist any more; the author is then unknown. The creator of a cloned machine, normally a
// controller of Cluster API, counts as a possible author, because a user can create a machine that looks cloned.
func MachineAuthor(machine *infrav1.NutanixMachine, template *infrav1.NutanixMachineTemplate, gitOps sets.Set[string]) Author {
	changedBy := machine.Annotations[infrav1.AuthorAnnotation]
	name := machine.ClonedFrom()
	if name == "" {
		return newAuthor(changedBy, "NutanixMachine/"+machine.Name, gitOps, changedBy)
	}
	username := ""
	if template != nil && template.Name == name && template.Namespace == machine.Namespace {
		username = template.Annotations[infrav1.AuthorAnnotation]
	}
	return newAuthor(username, "NutanixMachineTemplate/"+name, gitOps, username, changedBy)
}

func newAuthor(username, source string, gitOps sets.Set[string], users ...string) Author {
	users = slices.DeleteFunc(users, func(user string) bool { return user == "" || gitOps.Has(user) })
	if gitOps.Has(username) {
		username = ""
	}
	return Author{Username: username, Source: source, users: users}
}
