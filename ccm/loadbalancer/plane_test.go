package loadbalancer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	frameworkservice "k8s.io/cloud-provider/controllers/service"
	servicehelper "k8s.io/cloud-provider/service/helpers"
	"k8s.io/component-base/metrics/prometheus/controllers"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/internal/toolbox/apiserver"
)

// deadline is how long a test waits for what happens beside it.
const deadline = 2 * time.Minute

var (
	// server is the API server of all tests here, for somebody who may do everything.
	server *kubernetes.Clientset
	// product is the same for somebody who may do what the manifests allow the cloud controller manager.
	product *kubernetes.Clientset
)

// Clients gives server and product to the tests beside this package.
func Clients() (all, allowed kubernetes.Interface) { return server, product }

// Deadline gives deadline to the tests beside this package.
const Deadline = deadline

func TestMain(m *testing.M) {
	apiserver.Main(apiserver.Options{}, func(environment *envtest.Environment) (code int, err error) {
		server = kubernetes.NewForConfigOrDie(environment.Config)
		if product, err = restricted(environment); err != nil {
			return 1, fmt.Errorf("making the user of the cloud controller manager: %w", err)
		}
		return m.Run(), nil
	})
}

// restricted gives a client that may do what the ClusterRole of the manifests says.
func restricted(environment *envtest.Environment) (*kubernetes.Clientset, error) {
	user, err := environment.AddUser(envtest.User{Name: "capnt-ccm"}, &rest.Config{QPS: -1, Burst: -1})
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile("../../config/ccm/cluster_role.yaml")
	if err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(content, role); err != nil {
		return nil, err
	}
	ctx := context.Background()
	if _, err := server.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	_, err = server.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "capnt-ccm"}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(user.Config())
}

// plane is the world of one test: a namespace, scripted backends, and the Balancer beside the framework's controller or not.
type plane struct {
	*testing.T
	nlb, ipam *scripted
	events    *eventLog
	namespace string

	mu      sync.Mutex
	current config.Config
	stop    func()
	// balancer is the running one.
	balancer *Balancer
}

func newPlane(t *testing.T) *plane {
	p := &plane{T: t, nlb: newScripted("10.1.0."), ipam: newScripted("10.2.0."), events: &eventLog{}, current: bothTypes(), stop: func() {}}
	// Long enough that nothing is repaired unless a test wants it.
	p.current.LoadBalancer.RepairPeriod.Duration = time.Hour
	namespace, err := server.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	p.namespace = namespace.Name
	t.Cleanup(p.clear)
	return p
}

// clear removes what other tests would see.
func (p *plane) clear() {
	p.stop()
	ctx := context.Background()
	services, err := server.CoreV1().Services(p.namespace).List(ctx, metav1.ListOptions{})
	require.NoError(p, err)
	for _, s := range services.Items {
		_, err := server.CoreV1().Services(p.namespace).Patch(ctx, s.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		require.NoError(p, err)
		require.NoError(p, ignoreNotFound(server.CoreV1().Services(p.namespace).Delete(ctx, s.Name, metav1.DeleteOptions{})))
	}
	require.NoError(p, server.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (p *plane) config() config.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// reload changes the configuration as a reload does.
func (p *plane) reload(change func(*config.LoadBalancer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.current.LoadBalancer)
}

// start runs a Balancer, with the framework's service controller or without, until the test ends or stop is called.
func (p *plane) start(framework bool) {
	p.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	balancer := New(Options{
		Backends: map[config.LoadBalancerType]Backend{config.LoadBalancerNLB: p.nlb, config.LoadBalancerIPAM: handing{p.ipam}},
		Config:   p.config, Client: product, Events: p.events,
	})
	p.balancer = balancer
	factory := informers.NewSharedInformerFactory(product, 0)
	var group sync.WaitGroup
	if framework {
		controller, err := frameworkservice.New(cloud{balancer: balancer}, product, factory.Core().V1().Services(), factory.Core().V1().Nodes(), "", nil)
		require.NoError(p, err)
		group.Go(func() { controller.Run(ctx, 2, controllers.NewControllerManagerMetrics("test")) })
	}
	group.Go(func() { balancer.Run(ctx, factory) })
	p.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		factory.Shutdown()
	})
}

// cloud is a cloud provider with load balancers only.
type cloud struct {
	cloudprovider.Interface
	balancer cloudprovider.LoadBalancer
}

func (c cloud) LoadBalancer() (cloudprovider.LoadBalancer, bool) { return c.balancer, true }
func (c cloud) ProviderName() string                             { return "nutanix" }

// create creates a Service of type LoadBalancer; class "" is none.
func (p *plane) create(name, class string) *corev1.Service {
	p.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	if class != "" {
		service.Spec.LoadBalancerClass = &class
	}
	service, err := server.CoreV1().Services(p.namespace).Create(p.Context(), service, metav1.CreateOptions{})
	require.NoError(p, err)
	return service
}

// read reads a Service; nil: it is gone.
func (p *plane) read(service *corev1.Service) *corev1.Service {
	p.Helper()
	now, err := server.CoreV1().Services(p.namespace).Get(context.Background(), service.Name, metav1.GetOptions{})
	require.NoError(p, ignoreNotFound(err))
	if err != nil || now.UID != service.UID {
		return nil
	}
	return now
}

// patch changes a Service as a person does, with a JSON merge patch.
func (p *plane) patch(service *corev1.Service, patch string, subresources ...string) {
	p.Helper()
	_, err := server.CoreV1().Services(p.namespace).Patch(p.Context(), service.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	require.NoError(p, err)
}

func (p *plane) delete(service *corev1.Service) {
	p.Helper()
	require.NoError(p, server.CoreV1().Services(p.namespace).Delete(p.Context(), service.Name, metav1.DeleteOptions{}))
}

// node creates a node.
func (p *plane) node(name string) *corev1.Node {
	p.Helper()
	node, err := server.CoreV1().Nodes().Create(p.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(p, err)
	return node
}

// eventually waits until something is so.
func (p *plane) eventually(what string, so func() bool) {
	p.Helper()
	require.Eventually(p, so, deadline, 10*time.Millisecond, what)
}

// served waits until the Service has a load balancer of that backend, a finalizer and, unless it is not to have one, its status.
func (p *plane) served(service *corev1.Service, by *scripted) string {
	p.Helper()
	var address string
	p.eventually("served", func() bool {
		address, _ = by.has(service)
		now := p.read(service)
		published := by == p.ipam || len(now.Status.LoadBalancer.Ingress) == 1 && now.Status.LoadBalancer.Ingress[0].IP == address
		return address != "" && servicehelper.HasLBFinalizer(now) && published
	})
	return address
}

// gone waits until no backend has anything of the Service.
func (p *plane) gone(service *corev1.Service) {
	p.Helper()
	p.eventually("no piece is left", func() bool {
		one, _ := p.nlb.has(service)
		other, _ := p.ipam.has(service)
		return one == "" && other == ""
	})
}

// targeted waits until these are the targets.
func (p *plane) targeted(service *corev1.Service, names ...string) {
	p.Helper()
	var targets []string
	if !assert.Eventually(p, func() bool {
		_, targets = p.nlb.has(service)
		return slices.Equal(targets, names)
	}, deadline, 10*time.Millisecond) {
		require.Equal(p, names, targets)
	}
}

// eventLog keeps events as "<type> <reason> <message>".
type eventLog struct {
	record.EventRecorder
	mu   sync.Mutex
	told []string
}

func (l *eventLog) Event(_ runtime.Object, kind, reason, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, kind+" "+reason+" "+message)
}

func (l *eventLog) Eventf(object runtime.Object, kind, reason, format string, arguments ...any) {
	l.Event(object, kind, reason, fmt.Sprintf(format, arguments...))
}

// count counts events of that reason.
func (l *eventLog) count(reason string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := 0
	for _, event := range l.told {
		if strings.Fields(event)[1] == reason {
			count++
		}
	}
	return count
}
