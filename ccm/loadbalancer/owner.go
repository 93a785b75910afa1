package loadbalancer

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Owner is the Service that a piece in Prism Central belongs to. Its text forms are read back by ParseContext and
// ParseName, for ever: what was made by an older version must be found.
type Owner struct {
	// Cluster is the configuration's clusterName.
	Cluster string
	UID     types.UID
}

// OwnerOf gives the owner that a Service is.
func OwnerOf(cluster string, service *corev1.Service) Owner {
	return Owner{Cluster: cluster, UID: service.UID}
}

// Context is the client context of address reservations: "<cluster>/<service UID>".
func (o Owner) Context() string { return o.Cluster + "/" + string(o.UID) }

// Name is how names of load balancer sessions and floating IPs start: "<cluster>-<service UID>".
func (o Owner) Name() string { return o.Cluster + "-" + string(o.UID) }

// ParseContext reads Context back; ok is false for what belongs to another cluster or to nobody.
func ParseContext(cluster, text string) (owner Owner, ok bool) {
	uid, ok := strings.CutPrefix(text, cluster+"/")
	return Owner{cluster, types.UID(uid)}, ok && len(uid) == uidLength
}

// ParseName reads Name back from the name of a piece, which may go on after the UID with "-"; ok is false for what belongs
// to another cluster or to nobody.
func ParseName(cluster, text string) (owner Owner, ok bool) {
	rest, ok := strings.CutPrefix(text, cluster+"-")
	if !ok || len(rest) < uidLength || (len(rest) > uidLength && rest[uidLength] != '-') {
		return Owner{}, false
	}
	uid := rest[:uidLength]
	// A cluster named "a" must not take what belongs to "a-b": a UID has dashes at known places.
	if strings.Count(uid, "-") != 4 || uid[8] != '-' || uid[13] != '-' || uid[18] != '-' || uid[23] != '-' {
		return Owner{}, false
	}
	return Owner{cluster, types.UID(uid)}, true
}

// uidLength is the length of the UIDs that an API server gives.
const uidLength = 36
