package route

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	cloudprovider "k8s.io/cloud-provider"

	"github.com/capnt/capnt/ccm/nutanix"
)

// problem is an error that becomes an Event of the Node.
type problem struct {
	reason string
	cause  error
}

func (p *problem) Error() string { return p.cause.Error() }

func (p *problem) Unwrap() error { return p.cause }

// tell gives the error back; a conflict without what made it one, because the framework looks at its type alone.
func (r *Routes) tell(nameHint string, route *cloudprovider.Route, err error) error {
	var p *problem
	if !errors.As(err, &p) {
		return err
	}
	node := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: string(route.TargetNode), UID: types.UID(nameHint)}
	r.Events.Event(node, corev1.EventTypeWarning, p.reason, p.Error())
	return p.cause
}

// retried makes a conflict of what the framework should try again at once: somebody else changed something meanwhile.
func retried(route nutanix.Route, err error) error {
	if nutanix.Is(err, nutanix.Conflict) || nutanix.Is(err, nutanix.Stale) {
		return conflict(route, err)
	}
	return err
}

func conflict(route nutanix.Route, err error) error {
	return apierrors.NewConflict(schema.GroupResource{Group: "nutanix.com", Resource: "routes"}, route.Name, err)
}

func wrap(err error, format string, arguments ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(arguments, err)...)
}
