package nutanixfailuredomain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/controllers/provisioning"
)

// namedUsers is the maximum number of users that a message names. The message gives only the number of the others.
const namedUsers = 5

// remedies contains, for each kind of user, what a person has to do before the failure domain can be deleted.
var remedies = map[string]string{
	kindNutanixCluster:    "take it out of spec.controlPlaneFailureDomains of the NutanixCluster",
	kindMachineDeployment: "name another one in spec.template.spec.failureDomain of the MachineDeployment",
	kindMachine:           "wait until the Machines are replaced, or delete them",
}

// reconcileDelete removes the finalizer if no object uses the failure domain. Otherwise a change of one of its users
// triggers the next reconcile.
func (r *Reconciler) reconcileDelete(ctx context.Context, domain *infrav1.NutanixFailureDomain, found usage) error {
	if len(found.users) == 0 {
		// The cache may lack a user that was just created.
		var err error
		if found, err = gatherUsage(ctx, r.Reader, domain); err != nil {
			return err
		}
	}
	publishUsage(domain, found)
	if len(found.users) == 0 {
		controllerutil.RemoveFinalizer(domain, infrav1.NutanixFailureDomainFinalizer)
	}
	return nil
}

// publishUsage writes the SafeForDeletion condition.
func publishUsage(domain *infrav1.NutanixFailureDomain, found usage) {
	if len(found.users) == 0 {
		provisioning.Set(domain, infrav1.SafeForDeletionCondition, metav1.ConditionTrue, infrav1.FailureDomainNotInUseReason, "")
		return
	}
	message := usageMessage(found.users, !domain.DeletionTimestamp.IsZero())
	provisioning.Set(domain, infrav1.SafeForDeletionCondition, metav1.ConditionFalse, infrav1.FailureDomainInUseReason, message)
}

// usageMessage names the users of the failure domain. If the failure domain is being deleted, the message also contains
// the remedies.
func usageMessage(users []user, deleting bool) string {
	var named, todo []string
	for i, user := range users {
		if i < namedUsers {
			named = append(named, user.kind+" "+user.name)
		}
		if remedy := remedies[user.kind]; !slices.Contains(todo, remedy) {
			todo = append(todo, remedy)
		}
	}
	message := "in use by " + strings.Join(named, ", ")
	if more := len(users) - len(named); more > 0 {
		message += fmt.Sprintf(" and %d more", more)
	}
	if !deleting {
		return message
	}
	return "deletion waits, because the failure domain is " + message + ": " + strings.Join(todo, "; ")
}
