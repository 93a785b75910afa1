package loadbalancer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	servicehelper "k8s.io/cloud-provider/service/helpers"
	"k8s.io/utils/ptr"

	"github.com/capnt/capnt/ccm/config"
)

func TestTypeIsThatOfTheClassElseOfTheAnnotationElseOfTheConfiguration(t *testing.T) {
	only := func(t config.LoadBalancerType) func(*config.Config) {
		return func(c *config.Config) {
			c.LoadBalancer.Type = t
			c.LoadBalancer.NLB = nil
		}
	}
	for _, test := range []struct {
		name       string
		class      *string
		annotation string
		config     func(*config.Config)
		want       config.LoadBalancerType
		refused    string
	}{
		{name: "configured", want: config.LoadBalancerNLB},
		{name: "nothing configured", config: only(""), want: config.LoadBalancerNone},
		{name: "annotation", annotation: "ipam", want: config.LoadBalancerIPAM},
		{name: "annotation none", annotation: "none", want: config.LoadBalancerNone},
		{name: "annotation that is no type", annotation: "NLB!", refused: ReasonInvalidType},
		{name: "class", class: ptr.To("nutanix.com/ipam"), want: config.LoadBalancerIPAM},
		{name: "class and the same annotation", class: ptr.To("nutanix.com/ipam"), annotation: "ipam", want: config.LoadBalancerIPAM},
		{name: "class and another annotation", class: ptr.To("nutanix.com/ipam"), annotation: "nlb", refused: ReasonContradictoryType},
		{name: "class of somebody else", class: ptr.To("example.com/other"), annotation: "nlb", want: config.LoadBalancerNone},
		{name: "type without its section", annotation: "nlb", config: only("ipam"), refused: ReasonTypeNotConfigured},
		{name: "no cluster name", config: func(c *config.Config) { c.ClusterName = "" }, refused: ReasonTypeNotConfigured},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := bothTypes()
			if test.config != nil {
				test.config(&c)
			}
			service := &corev1.Service{Spec: corev1.ServiceSpec{LoadBalancerClass: test.class}}
			if test.annotation != "" {
				service.Annotations = map[string]string{AnnotationType: test.annotation}
			}
			chosen, err := choose(c, service)
			if test.refused != "" {
				var refusal *Refusal
				require.ErrorAs(t, err, &refusal)
				assert.Equal(t, test.refused, refusal.Reason)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, chosen)
		})
	}
}

func TestDutyOfTheClassController(t *testing.T) {
	ours, others := ptr.To("nutanix.com/nlb"), ptr.To("example.com/other")
	const lb, ip = corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeClusterIP
	for _, test := range []struct {
		name                string
		kind                corev1.ServiceType
		class               *string
		finalizer, deleting bool
		want                duty
	}{
		{"ours", lb, ours, false, false, dutyServe},
		{"ours, served", lb, ours, true, false, dutyServe},
		{"ours, deleted", lb, ours, true, true, dutyCleanUp},
		{"ours, deleted, cleaned up", lb, ours, false, true, dutyNone},
		{"somebody else's", lb, others, true, false, dutyNone},
		{"somebody else's, deleted", lb, others, true, true, dutyNone},
		{"the framework's, not taken yet", lb, nil, false, false, dutyNone},
		{"the framework's", lb, nil, true, false, dutyRepair},
		{"the framework's, deleted", lb, nil, true, true, dutyNone},
		{"no load balancer", ip, nil, false, false, dutyNone},
		{"no load balancer any more", ip, nil, true, false, dutyCleanUp},
		{"no load balancer any more, deleted", ip, nil, true, true, dutyCleanUp},
	} {
		service := &corev1.Service{Spec: corev1.ServiceSpec{Type: test.kind, LoadBalancerClass: test.class}}
		if test.finalizer {
			service.Finalizers = []string{servicehelper.LoadBalancerCleanupFinalizer}
		}
		if test.deleting {
			service.DeletionTimestamp = ptr.To(metav1.NewTime(time.Now()))
		}
		assert.Equal(t, test.want, dutyOf(service, bothTypes().LoadBalancer.Classes), test.name)
	}
}

func TestStatusAloneIsNoReasonToEnsureAgain(t *testing.T) {
	old := &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Annotations: map[string]string{}, Finalizers: []string{servicehelper.LoadBalancerCleanupFinalizer},
	}}
	for name, test := range map[string]struct {
		change func(*corev1.Service)
		want   bool
	}{
		"status":      {func(s *corev1.Service) { s.Status.LoadBalancer = *status("10.0.0.1") }, false},
		"labels":      {func(s *corev1.Service) { s.Labels = map[string]string{"a": "b"} }, false},
		"ports":       {func(s *corev1.Service) { s.Spec.Ports = []corev1.ServicePort{{Port: 80}} }, true},
		"annotations": {func(s *corev1.Service) { s.Annotations["a"] = "b" }, true},
		"finalizer":   {func(s *corev1.Service) { s.Finalizers = nil }, true},
		"another's":   {func(s *corev1.Service) { s.Finalizers = append(s.Finalizers, "a") }, false},
		"deletion":    {func(s *corev1.Service) { s.DeletionTimestamp = &metav1.Time{} }, false},
		"another one": {func(s *corev1.Service) { s.UID = "other" }, true},
	} {
		now := old.DeepCopy()
		test.change(now)
		assert.Equal(t, test.want, changed(old, now), name)
	}
}

func TestNodesThatMayGetTraffic(t *testing.T) {
	node := func(name string, change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
		change(n)
		return n
	}
	exclude := func(value string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels[corev1.LabelNodeExcludeBalancers] = value }
	}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	for _, n := range []*corev1.Node{
		node("plain", func(*corev1.Node) {}),
		node("not-ready", func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
		}),
		node("not-excluded", exclude("false")),
		node("excluded", exclude("true")),
		node("excluded-by-the-label-alone", exclude("")),
		node("deleted", func(n *corev1.Node) { n.DeletionTimestamp = ptr.To(metav1.NewTime(time.Now())) }),
		node("scaled-down", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: scaledDown}} }),
	} {
		require.NoError(t, factory.Core().V1().Nodes().Informer().GetStore().Add(n))
	}
	nodes, err := eligible(factory.Core().V1().Nodes().Lister())
	require.NoError(t, err)
	assert.Equal(t, []string{"not-excluded", "not-ready", "plain"}, nodeNames(nodes))

	plain := node("n", func(*corev1.Node) {})
	assert.True(t, retargets(plain, node("n", exclude("true"))))
	assert.False(t, retargets(plain, node("n", exclude("false"))))
	assert.True(t, retargets(plain, node("n", func(n *corev1.Node) { n.Spec.ProviderID = "nutanix://a" })))
	assert.False(t, retargets(plain, node("n", func(n *corev1.Node) { n.Labels["a"] = "b" })))
}
