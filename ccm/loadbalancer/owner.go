package loadbalancer

import (
	"cmp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Owner is the Service that a piece in Prism Central belongs to. Its text forms are read back by ParseContext and
// ParseName, for ever: what was made must be found by every later version.
type Owner struct {
	// Cluster is the configuration's clusterName.
	Cluster string
	// ID tells clusters of one name apart (see ClusterID). It is empty where the namespace kube-system could not be read.
	ID  string
	UID types.UID
}

// OwnerOf gives the owner that a Service is.
func OwnerOf(cluster string, service *corev1.Service) Owner {
	return Owner{Cluster: cluster, UID: service.UID}
}

// ClusterID gives the ID of a cluster: how the UID of its namespace kube-system begins.
func ClusterID(uid types.UID) string { return string(uid[:min(len(uid), idLength)]) }

// CompareOwners orders owners by UID.
func CompareOwners(a, b Owner) int { return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.ID, b.ID)) }

// In gives the owner with the ID of its cluster.
func (o Owner) In(id string) Owner {
	o.ID = id
	return o
}

// Owns reports whether a piece with that mark is the owner's. One made while the ID was not known is.
func (o Owner) Owns(mark Owner) bool {
	return o.Cluster == mark.Cluster && o.UID == mark.UID && (o.ID == mark.ID || o.ID == "" || mark.ID == "")
}

// Context is the client context of address reservations: "<cluster>/<service UID>/<ID>".
func (o Owner) Context() string { return o.joined("/") }

// Name is how names of load balancer sessions and floating IPs start: "<cluster>-<service UID>-<ID>".
func (o Owner) Name() string { return o.joined("-") }

// Prefix is how Name starts, with the ID and without.
func (o Owner) Prefix() string { return o.Cluster + "-" + string(o.UID) }

func (o Owner) joined(separator string) string {
	text := o.Cluster + separator + string(o.UID)
	if o.ID == "" {
		return text
	}
	return text + separator + o.ID
}

// ParseContext reads Context back; ok is false for what belongs to a cluster of another name or to nobody.
func ParseContext(cluster, text string) (owner Owner, ok bool) {
	rest, ok := strings.CutPrefix(text, cluster+"/")
	uid, id, marked := strings.Cut(rest, "/")
	return Owner{cluster, id, types.UID(uid)}, ok && len(uid) == uidLength && (!marked || isID(id))
}

// ParseName reads Name back from the name of a piece, which may go on after it with "-"; ok is false for what belongs to a
// cluster of another name or to nobody.
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
	id, _, _ := strings.Cut(strings.TrimPrefix(rest[uidLength:], "-"), "-")
	if !isID(id) {
		id = ""
	}
	return Owner{cluster, id, types.UID(uid)}, true
}

// Lengths of the UIDs that an API server gives, and of their first part.
const (
	uidLength = 36
	idLength  = 8
)

func isID(text string) bool {
	return len(text) == idLength && strings.Trim(text, "0123456789abcdef") == ""
}
