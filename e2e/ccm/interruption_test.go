package ccm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/loadbalancer/nlb"
	"github.com/capnt/capnt/e2e/ccm/fixture"
	"github.com/capnt/capnt/e2e/prismsim"
)

// seedVariable is the environment variable that sets the seed of the random numbers. Each run logs its seed.
const seedVariable = "CAPNT_CCM_SEED"

const (
	// interruptions is the total number of interruptions in all runs. The runs are executed in parallel, because each
	// spends most of its time waiting for tasks of Prism Central.
	interruptions = 500
	runs          = 10
)

// The test creates, changes and deletes Services. The load balancer controller runs in this process and is interrupted
// at random requests to Prism Central. Whenever it completes a sync without an interruption, Prism Central must contain
// exactly the entities that the Services need. At the end, Prism Central must contain no entities of the cluster.
func TestInterruptionsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("%s=%d repeats this run", seedVariable, seed)
	for number := range runs {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			t.Parallel()
			runChaos(t, seed, uint64(number))
		})
	}
}

func runChaos(t *testing.T, seed, number uint64) {
	// Tasks take some time, so that a new process can start before the tasks of the old process have ended.
	c := newChaos(t, prismsim.Latencies{Network: 3 * time.Millisecond}, seed, number)
	for c.count < interruptions/runs {
		c.step()
	}
	c.syncAll()
	for _, name := range c.names() {
		if c.wants[name].DeletionTimestamp == nil {
			c.delete(name)
		}
	}
	c.syncAll()
	require.Empty(t, c.f.Entities())
	t.Logf("%d interruptions of %d synchronisations: %v", c.count, c.syncs, c.kinds)
}

// names returns the names of the Services. The names are sorted, because a seed reproduces a run only if the order is
// fixed.
func (c *chaos) names() []string { return slices.Sorted(maps.Keys(c.wants)) }

// chaos is one run of TestInterruptionsLeaveNothingBehind: the load balancer controller, its Services, and statistics
// about the interruptions.
type chaos struct {
	f      *fixture.Fixture
	t      *testing.T
	random *rand.Rand

	balancer *loadbalancer.Balancer
	nodes    []*corev1.Node
	// wants contains all Services whose deletion has not completed, by name.
	wants map[string]*corev1.Service

	count, syncs int
	kinds        map[string]int
}

func newChaos(t *testing.T, latency prismsim.Latencies, seed, number uint64) *chaos {
	f := fixture.New(t, suite, fixture.Options{Shared: true, Latency: latency})
	c := &chaos{
		f: f, t: t, random: rand.New(rand.NewPCG(seed, number)), wants: map[string]*corev1.Service{}, kinds: map[string]int{},
		nodes: []*corev1.Node{fixture.NodeOf(f.CreateVM("worker-1")), fixture.NodeOf(f.CreateVM("worker-2"))},
	}
	c.restart()
	return c
}

// restart replaces the load balancer controller with a new one that has no cached state.
func (c *chaos) restart() {
	host, port := c.f.Proxy.Address()
	api := c.f.NewClient(host, port, c.f.Proxy.TrustBundle)
	now := func() config.Config { return c.f.Config }
	events := &record.FakeRecorder{}
	c.balancer = loadbalancer.New(loadbalancer.Options{
		Backends: map[config.LoadBalancerType]loadbalancer.Backend{
			config.LoadBalancerNLB:  nlb.New(nlb.Options{API: api, Config: now, Events: events}),
			config.LoadBalancerIPAM: ipam.New(ipam.Options{API: api, Config: now, Client: c.f.Kube, Events: events}),
		},
		Config: now, Client: c.f.Kube, Events: events,
	})
}

// step changes a Service and syncs it. In most cases, an interruption occurs during the sync.
func (c *chaos) step() {
	name := fmt.Sprintf("service-%d", c.random.IntN(4))
	service := c.wants[name]
	switch {
	case service == nil:
		c.create(name)
	case service.DeletionTimestamp != nil: // only a successful sync completes the deletion
	case c.random.IntN(3) == 0:
		c.delete(name)
	default:
		c.change(name)
	}
	if c.random.IntN(8) == 0 {
		c.syncAll()
		return
	}
	c.syncInterrupted(name)
}

func (c *chaos) create(name string) {
	c.wants[name] = c.f.CreateService(name, likeFramework, c.shape())
}

func (c *chaos) change(name string) {
	c.wants[name] = c.f.EditService(name, c.shape())
	if c.random.IntN(4) == 0 {
		c.nodes[0], c.nodes[1] = c.nodes[1], c.nodes[0]
	}
}

func (c *chaos) delete(name string) {
	c.f.DeleteService(name)
	c.wants[name] = c.f.GetService(name)
}

// shape returns a function that sets random ports, a random type and a random floating IP annotation in a Service.
func (c *chaos) shape() func(*corev1.Service) {
	all := []corev1.ServicePort{fixture.TCP(80), fixture.UDP(80), fixture.TCP(443), fixture.UDP(53)}
	c.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	ports := all[:1+c.random.IntN(3)]
	kind := config.LoadBalancerNLB
	if c.random.IntN(5) == 0 {
		kind = config.LoadBalancerIPAM
	}
	floating := strconv.FormatBool(c.random.IntN(3) == 0)
	return func(s *corev1.Service) {
		s.Spec.Ports = ports
		fixture.Annotate(loadbalancer.AnnotationType, string(kind))(s)
		delete(s.Annotations, loadbalancer.AnnotationFloatingIP)
		if kind == config.LoadBalancerNLB {
			fixture.Annotate(loadbalancer.AnnotationFloatingIP, floating)(s)
		}
	}
}

// sync reconciles a Service once, as the framework's service controller does.
func (c *chaos) sync(ctx context.Context, name string, nodes []*corev1.Node) error {
	c.syncs++
	service := c.f.GetService(name)
	if service.DeletionTimestamp == nil {
		status, err := c.balancer.EnsureLoadBalancer(ctx, "", service, nodes)
		if err == nil {
			c.wants[name] = c.f.SetIngress(name, status)
		}
		return err
	}
	_, found, err := c.balancer.GetLoadBalancer(ctx, "", service)
	if err != nil {
		return err
	}
	if found {
		if err := c.balancer.EnsureLoadBalancerDeleted(ctx, "", service); err != nil {
			return err
		}
	}
	c.f.ForceDeleteService(name)
	delete(c.wants, name)
	return nil
}

// syncAll waits until the tasks of Prism Central have ended, reconciles every Service without interruptions, and then
// compares Prism Central with the Services.
func (c *chaos) syncAll() {
	c.f.WaitForTasks()
	for _, name := range c.names() {
		require.NoError(c.t, c.sync(c.t.Context(), name, c.nodes), name)
	}
	c.compare()
}

// compare requires that Prism Central contains exactly the entities that the Services need.
func (c *chaos) compare() {
	want := []string{}
	for _, name := range c.names() {
		service := c.f.GetService(name)
		own := c.f.Config.ClusterName + "-" + string(service.UID)
		address := service.Annotations[fixture.KubeVIPAnnotation]
		if service.Annotations[loadbalancer.AnnotationType] == string(config.LoadBalancerNLB) {
			address = c.virtualIP(service)
			require.Empty(c.t, c.f.SessionDifference(service, address, "worker-1", "worker-2"))
			for _, port := range service.Spec.Ports {
				want = append(want, fmt.Sprintf("session %s-%s-%d", own, strings.ToLower(string(port.Protocol)), port.Port))
			}
		}
		want = append(want, "reservation "+address+" "+c.f.Config.ClusterName+"/"+string(service.UID))
		if service.Annotations[loadbalancer.AnnotationFloatingIP] == "true" {
			want = append(want, "floating IP "+service.Status.LoadBalancer.Ingress[0].IP+" "+own)
		}
	}
	slices.Sort(want)
	require.Equal(c.t, want, c.f.Entities())
}

// virtualIP returns the virtual IP of a Service, or an empty string if the Service has no session. It fails the test if
// the sessions of the Service have different virtual IPs.
func (c *chaos) virtualIP(service *corev1.Service) string {
	found := ""
	for _, session := range c.f.Sessions(service) {
		require.True(c.t, found == "" || found == session.VirtualIP, "sessions on %s and %s", found, session.VirtualIP)
		found = session.VirtualIP
	}
	return found
}

// syncInterrupted reconciles a Service once and tries to interrupt it at a random request to Prism Central. The kind of
// the interruption is also random.
func (c *chaos) syncInterrupted(name string) {
	faults := []string{"killed before", "killed after", "response lost", "503", "task failed", "task failed after its work"}
	kind := faults[c.random.IntN(len(faults))]
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	var hit atomic.Bool
	at := int64(1 + c.random.IntN(16))
	killed := kind == "killed before" || kind == "killed after"
	switch kind {
	case "task failed", "task failed after its work":
		id, err := c.f.Prism.Faults().Set(prismsim.Fault{
			Path: "^/api/networking/", Method: http.MethodPost, Skip: int(at / 6), Times: 1, TaskError: "the backend is out of order",
			AfterWork: kind == "task failed after its work",
		})
		require.NoError(c.t, err)
		defer func() {
			hit.Store(c.f.FaultHit(id))
			c.f.Prism.Faults().Clear(id)
			c.note(kind, hit.Load())
		}()
	default:
		c.f.Proxy.SetRule(interruptAt(kind, at, &hit, cancel))
		defer func() {
			c.f.Proxy.SetRule(nil)
			c.note(kind, hit.Load())
		}()
	}
	err := c.sync(ctx, name, c.nodes[:1+c.random.IntN(2)])
	var refusal *loadbalancer.Refusal
	require.NotErrorAs(c.t, err, &refusal, "a fault must not be reported as a refusal")
	require.NotErrorIs(c.t, err, cloudprovider.ImplementedElsewhere)
	if killed {
		c.restart()
	}
}

func (c *chaos) note(kind string, hit bool) {
	if !hit {
		return
	}
	c.count++
	c.kinds[kind]++
}

// interruptAt returns a rule that interrupts the request with the number at. For a kind that simulates a killed
// process, the rule also holds all later requests.
func interruptAt(kind string, at int64, hit *atomic.Bool, kill func()) fixture.Rule {
	var asked int64
	return func(*http.Request) fixture.Action {
		asked++
		killed := kind == "killed before" || kind == "killed after"
		switch {
		case asked > at && killed:
			return fixture.Action{HoldRequest: true}
		case asked != at:
			return fixture.Forward
		}
		hit.Store(true)
		switch kind {
		case "killed before":
			kill()
			return fixture.Action{HoldRequest: true}
		case "killed after":
			return fixture.Action{HoldResponse: true, OnHold: kill}
		case "response lost":
			return fixture.Action{DropResponse: true}
		default:
			return fixture.Action{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "upstream is down"}
		}
	}
}
