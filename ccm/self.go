package ccm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Self is where the cloud controller manager runs. Everything may be empty.
type Self struct {
	// Namespace is that of references in the configuration which name none.
	Namespace string
	// Pod and UID are what events are about that concern no Node and no Service.
	Pod string
	UID types.UID
}

// namespaceFile is where the kubelet puts the namespace of a pod.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// selfFromEnvironment reads POD_NAMESPACE, POD_NAME and POD_UID; without the first, what the kubelet wrote.
func selfFromEnvironment() (Self, error) {
	self := Self{Namespace: os.Getenv("POD_NAMESPACE"), Pod: os.Getenv("POD_NAME"), UID: types.UID(os.Getenv("POD_UID"))}
	if self.Namespace != "" {
		return self, nil
	}
	content, err := os.ReadFile(namespaceFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Self{}, fmt.Errorf("reading the namespace of the service account: %w", err)
	}
	self.Namespace = strings.TrimSpace(string(content))
	return self, nil
}

// reference gives what events are about: the pod, else its namespace; nil when neither is known.
func (s Self) reference() *corev1.ObjectReference {
	switch {
	case s.Namespace == "":
		return nil
	case s.Pod == "":
		return &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: s.Namespace, Name: s.Namespace}
	default:
		return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: s.Namespace, Name: s.Pod, UID: s.UID}
	}
}
