package ipam

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"

	"github.com/capnt/capnt/ccm/config"
)

// announcer is how an address gets to who announces it.
type announcer struct {
	// annotation is the name of now; older names are read where it is missing.
	annotation string
	older      []string
	// exclusive: spec.loadBalancerIP and the annotation together are an error.
	exclusive bool
}

var announcers = map[config.Announcer]announcer{
	config.KubeVIP: {annotation: "kube-vip.io/loadbalancerIPs"},
	config.MetalLB: {annotation: "metallb.io/loadBalancerIPs", older: []string{"metallb.universe.tf/loadBalancerIPs"}, exclusive: true},
	config.Cilium:  {annotation: "lbipam.cilium.io/ips", older: []string{"io.cilium/lb-ipam-ips"}},
}

func announcerOf(c config.IPAM) announcer { return announcers[cmp.Or(c.Announcer, config.KubeVIP)] }

// read gives what the Service's annotation says, and its name.
func (a announcer) read(service *corev1.Service) (name, value string) {
	if value := service.Annotations[a.annotation]; value != "" {
		return a.annotation, value
	}
	for _, name := range a.older {
		if value := service.Annotations[name]; value != "" {
			return name, value
		}
	}
	return a.annotation, ""
}

// write says what the annotation is to be when the Service has that address; "" is none.
func (a announcer) write(service *corev1.Service, address string) string {
	if a.exclusive && service.Spec.LoadBalancerIP != "" {
		return ""
	}
	return address
}
