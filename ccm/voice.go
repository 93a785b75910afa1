package ccm

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
)

// Reasons of events about the cloud controller manager itself.
const (
	// ReasonConfigurationChanged and ReasonConfigurationRefused: the file changed and is in force, or is wrong and is not.
	ReasonConfigurationChanged = "ConfigurationChanged"
	ReasonConfigurationRefused = "ConfigurationRefused"
	// ReasonRestartNeeded: something changed that is decided when the process starts.
	ReasonRestartNeeded = "RestartNeeded"
	// ReasonUnidentified: the namespace kube-system, whose UID tells clusters of one name apart, cannot be read.
	ReasonUnidentified = "ClusterUnidentified"
	// ReasonAnswers: Prism Central answers again.
	ReasonAnswers = "PrismCentralAnswers"
	// ReasonUnreachable: Prism Central does not answer.
	ReasonUnreachable = "PrismCentralUnreachable"
	// ReasonCertificateRefused: the certificate of whoever answers as Prism Central is of no trusted authority, or of another host.
	ReasonCertificateRefused = "CertificateRefused"
	// ReasonCredentialsRefused: Prism Central does not accept the credentials.
	ReasonCredentialsRefused = "CredentialsRefused"
	// ReasonAccessUnusable: credentials or certificates cannot be read.
	ReasonAccessUnusable = "PrismCentralAccessUnusable"
	// ReasonLoadBalancersPossible and ReasonLoadBalancersImpossible: what the configuration names for load balancers is there, or
	// is not as it has to be.
	ReasonLoadBalancersPossible   = "LoadBalancersPossible"
	ReasonLoadBalancersImpossible = "LoadBalancersImpossible"
)

// teller is what tells those who run the cluster: a voice, or a test's ear.
type teller interface {
	say(reason, message string)
	warn(reason, message string, err error)
}

// voice tells those who run the cluster what concerns no single Node or Service, in the log and as an Event.
type voice struct {
	log    klog.Logger
	events record.EventRecorder
	about  *corev1.ObjectReference
}

func newRecorder(ctx context.Context, client kubernetes.Interface) record.EventRecorder {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: clientName})
}

func (v *voice) say(reason, message string) {
	v.log.Info(message, "reason", reason)
	v.event(corev1.EventTypeNormal, reason, message)
}

func (v *voice) warn(reason, message string, err error) {
	v.log.Error(err, message, "reason", reason)
	if err != nil {
		message += ": " + err.Error()
	}
	v.event(corev1.EventTypeWarning, reason, message)
}

func (v *voice) event(kind, reason, message string) {
	if v.about != nil {
		v.events.Event(v.about, kind, reason, message)
	}
}

// configurationRefused adds an Event to what the store has logged.
func (v *voice) configurationRefused(err error) {
	v.event(corev1.EventTypeWarning, ReasonConfigurationRefused,
		"The changed configuration is wrong and the former one stays in force: "+err.Error())
}

func (v *voice) configurationChanged(before, after config.Config) {
	v.event(corev1.EventTypeNormal, ReasonConfigurationChanged, "The changed configuration is in force")
	if before.ClusterName != after.ClusterName {
		v.warn(ReasonRestartNeeded, fmt.Sprintf("clusterName changed in the configuration from %q to %q: it takes effect when the cloud controller "+
			"manager is restarted, which then finds nothing of what it made before", before.ClusterName, after.ClusterName), nil)
	}
	if before.LoadBalancer.Offered() != after.LoadBalancer.Offered() {
		v.warn(ReasonRestartNeeded, "Whether load balancers are served changed in the configuration: it takes effect when the cloud controller manager is restarted", nil)
	}
	if before.Routes.Enabled != after.Routes.Enabled {
		v.warn(ReasonRestartNeeded, "Whether routes are made changed in the configuration: it takes effect when the cloud controller manager is restarted", nil)
	}
}
