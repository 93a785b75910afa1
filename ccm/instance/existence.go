package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/nutanix"
)

func (i *Instances) exists(ctx context.Context, node *corev1.Node) (bool, error) {
	id, err := identify(node)
	if err != nil {
		return false, err
	}
	for _, from := range []source{i.shared(), i.fresh()} {
		if _, err := i.locate(ctx, id, from); err == nil || !errors.Is(err, errMissing) {
			return err == nil, err
		}
	}
	if len(id.uuids()) == 0 {
		return false, &Problem{ReasonNotConfirmed, fmt.Sprintf("no virtual machine is named %q, and the node has no UUID that could "+
			"confirm that it is gone: delete the Node if it is", id.name)}
	}
	return i.listedAnywhere(ctx, id)
}

// listedAnywhere looks through the attributes of the virtual machines of the cluster, or of all when the cluster has none, since
// attributes cannot be searched for. A Prism Central that knows no virtual machine at all is one that has not read its
// inventory yet, or lost it: this controller and the nodes run on some.
func (i *Instances) listedAnywhere(ctx context.Context, id identity) (bool, error) {
	vms, err := i.ofCluster(ctx, i.fresh())
	if err != nil {
		return false, err
	}
	if len(vms) == 0 {
		if vms, err = i.API.ListVMs(ctx, nutanix.VMFilter{}); err != nil {
			return false, fmt.Errorf("listing all virtual machines: %w", err)
		}
	}
	if len(vms) == 0 {
		return false, &Problem{ReasonNotConfirmed, "Prism Central lists no virtual machine at all: it is not relied upon, and the node is " +
			"left as it is"}
	}
	return slices.ContainsFunc(vms, func(vm nutanix.VM) bool { return len(id.match([]nutanix.VM{vm})) > 0 }), nil
}
