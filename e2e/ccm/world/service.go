package world

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Port is a port of a Service.
func Port(protocol corev1.Protocol, port int32) corev1.ServicePort {
	return corev1.ServicePort{
		Name:     fmt.Sprintf("%s-%d", map[corev1.Protocol]string{corev1.ProtocolTCP: "tcp", corev1.ProtocolUDP: "udp"}[protocol], port),
		Protocol: protocol, Port: port, TargetPort: intstr.FromInt32(8080),
	}
}

// TCP is a TCP port of a Service.
func TCP(port int32) corev1.ServicePort { return Port(corev1.ProtocolTCP, port) }

// UDP is a UDP port of a Service.
func UDP(port int32) corev1.ServicePort { return Port(corev1.ProtocolUDP, port) }

// Service creates a Service of type LoadBalancer with one TCP port 80, changed by whoever asks for something else.
func (w *World) Service(name string, changes ...func(*corev1.Service)) *corev1.Service {
	w.t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.Namespace, Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{TCP(80)},
		},
	}
	for _, change := range changes {
		change(service)
	}
	created, err := w.Kube.CoreV1().Services(w.Namespace).Create(w.ctx(), service, metav1.CreateOptions{})
	require.NoError(w.t, err)
	return created
}

// Ports sets the ports of a Service.
func Ports(ports ...corev1.ServicePort) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports = ports }
}

// Annotate sets an annotation of a Service.
func Annotate(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[key] = value }
}

// EditService changes a Service as a user does, and gives it as it is then.
func (w *World) EditService(name string, changes ...func(*corev1.Service)) (edited *corev1.Service) {
	w.t.Helper()
	services := w.Kube.CoreV1().Services(w.Namespace)
	w.persist("Service "+name+" to be changed", func() error {
		service, err := services.Get(w.ctx(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if service.Annotations == nil {
			service.Annotations = map[string]string{}
		}
		for _, change := range changes {
			change(service)
		}
		edited, err = services.Update(w.ctx(), service, metav1.UpdateOptions{})
		return err
	})
	return edited
}

// ServiceUntil waits until nothing is missing of a Service, and gives it.
func (w *World) ServiceUntil(name, what string, check func(*corev1.Service) (missing string)) *corev1.Service {
	w.t.Helper()
	var service *corev1.Service
	w.Until("Service "+name+" "+what, func() string {
		var err error
		if service, err = w.Kube.CoreV1().Services(w.Namespace).Get(w.ctx(), name, metav1.GetOptions{}); err != nil {
			return err.Error()
		}
		return check(service)
	})
	return service
}

// Served waits until a Service has an address, and gives both.
func (w *World) Served(name string) (service *corev1.Service, address string) {
	w.t.Helper()
	service = w.ServiceUntil(name, "to have an address", func(s *corev1.Service) string {
		if len(s.Status.LoadBalancer.Ingress) == 0 {
			return fmt.Sprintf("its status has no ingress; its events are %q", w.Events(w.Namespace, name))
		}
		return ""
	})
	return service, service.Status.LoadBalancer.Ingress[0].IP
}

// Unserved waits until a Service has neither address nor finalizer.
func (w *World) Unserved(name string) {
	w.t.Helper()
	w.ServiceUntil(name, "to be served no more", func(s *corev1.Service) string {
		if len(s.Status.LoadBalancer.Ingress) > 0 || len(s.Finalizers) > 0 {
			return fmt.Sprintf("its ingress is %v, its finalizers are %v", s.Status.LoadBalancer.Ingress, s.Finalizers)
		}
		return ""
	})
}

// ReadService reads a Service that exists.
func (w *World) ReadService(name string) *corev1.Service {
	w.t.Helper()
	service, err := w.Kube.CoreV1().Services(w.Namespace).Get(w.ctx(), name, metav1.GetOptions{})
	require.NoError(w.t, err)
	return service
}

// Exists tells whether there is such a Service, also one that is being deleted.
func (w *World) Exists(name string) bool {
	w.t.Helper()
	_, err := w.Kube.CoreV1().Services(w.Namespace).Get(w.ctx(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false
	}
	require.NoError(w.t, err)
	return true
}

// SetIngress writes a Service's status as the framework's controller does.
func (w *World) SetIngress(name string, status *corev1.LoadBalancerStatus) *corev1.Service {
	w.t.Helper()
	service := w.ReadService(name)
	service.Status.LoadBalancer = *status
	written, err := w.Kube.CoreV1().Services(w.Namespace).UpdateStatus(w.ctx(), service, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	return written
}

// ForceAway takes a Service's finalizers away and deletes it, as people do who are tired of waiting.
func (w *World) ForceAway(name string) {
	w.t.Helper()
	if service := w.EditService(name, func(s *corev1.Service) { s.Finalizers = nil }); service.DeletionTimestamp == nil {
		w.DeleteService(name)
	}
}

// DeleteService asks for the deletion of a Service; see ServiceGone.
func (w *World) DeleteService(name string) {
	w.t.Helper()
	require.NoError(w.t, w.Kube.CoreV1().Services(w.Namespace).Delete(w.ctx(), name, metav1.DeleteOptions{}))
}

// ServiceGone waits until a Service is deleted.
func (w *World) ServiceGone(name string) {
	w.t.Helper()
	w.Until("Service "+name+" to be gone", func() string {
		service, err := w.Kube.CoreV1().Services(w.Namespace).Get(w.ctx(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it has the finalizers %v (%v); its events are %q", service.Finalizers, err, w.Events(w.Namespace, name))
	})
}

// NodePort of a Service's port.
func NodePort(service *corev1.Service, protocol corev1.Protocol, port int32) int32 {
	at := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Protocol == protocol && p.Port == port })
	if at < 0 {
		return 0
	}
	return service.Spec.Ports[at].NodePort
}
