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
	"github.com/capnt/capnt/e2e/ccm/world"
	"github.com/capnt/capnt/e2e/prismsim"
)

// seedVariable names the environment variable that repeats a run: the seed is in the log of every run.
const seedVariable = "CAPNT_CCM_SEED"

const (
	// interruptions is how many of them there are, in runs that go on side by side: most of the time goes by with waiting for
	// tasks of Prism Central.
	interruptions = 500
	runs          = 10
)

// TestInterruptionsLeaveNothingBehind creates, changes and deletes Services with a balancer in this process, as the
// framework's controller does, and interrupts it at random requests to Prism Central in random ways. Whenever it is let
// finish, everything is as the Services want it; at the end nothing is left.
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
	// Tasks run for a moment, so that a new process may come while what the old one ordered is not done yet.
	c := newChaos(t, prismsim.Latencies{Network: 3 * time.Millisecond}, seed, number)
	for c.count < interruptions/runs {
		c.step()
	}
	c.settle()
	for _, name := range c.names() {
		if c.wants[name].DeletionTimestamp == nil {
			c.delete(name)
		}
	}
	c.settle()
	require.Empty(t, c.w.Pieces())
	t.Logf("%d interruptions of %d synchronisations: %v", c.count, c.syncs, c.kinds)
}

// names are those of the Services that there are, in order: a run must not depend on the order of a map.
func (c *chaos) names() []string { return slices.Sorted(maps.Keys(c.wants)) }

// chaos is the state of a run.
type chaos struct {
	w      *world.World
	t      *testing.T
	random *rand.Rand

	balancer *loadbalancer.Balancer
	nodes    []*corev1.Node
	// wants holds the Services that there are, and those that are deleted and not gone.
	wants map[string]*corev1.Service

	count, syncs int
	kinds        map[string]int
}

func newChaos(t *testing.T, latency prismsim.Latencies, seed, number uint64) *chaos {
	w := world.New(t, site, world.Options{Shared: true, Latency: latency})
	c := &chaos{
		w: w, t: t, random: rand.New(rand.NewPCG(seed, number)), wants: map[string]*corev1.Service{}, kinds: map[string]int{},
		nodes: []*corev1.Node{world.NodeOf(w.VM("worker-1")), world.NodeOf(w.VM("worker-2"))},
	}
	c.restart()
	return c
}

// restart makes what a new process has: nothing that was remembered.
func (c *chaos) restart() {
	host, port := c.w.Proxy.Address()
	api := c.w.NewClient(host, port, c.w.Proxy.TrustBundle)
	now := func() config.Config { return c.w.Config }
	events := &record.FakeRecorder{}
	c.balancer = loadbalancer.New(loadbalancer.Options{
		Backends: map[config.LoadBalancerType]loadbalancer.Backend{
			config.LoadBalancerNLB:  nlb.New(nlb.Options{API: api, Config: now, Events: events}),
			config.LoadBalancerIPAM: ipam.New(ipam.Options{API: api, Config: now, Client: c.w.Kube, Events: events}),
		},
		Config: now, Client: c.w.Kube, Events: events,
	})
}

// step changes something and lets the balancer act on it, interrupted or not.
func (c *chaos) step() {
	name := fmt.Sprintf("service-%d", c.random.IntN(4))
	service := c.wants[name]
	switch {
	case service == nil:
		c.create(name)
	case service.DeletionTimestamp != nil: // it has to go first
	case c.random.IntN(3) == 0:
		c.delete(name)
	default:
		c.change(name)
	}
	if c.random.IntN(8) == 0 {
		c.settle()
		return
	}
	c.interrupted(name)
}

func (c *chaos) create(name string) {
	c.wants[name] = c.w.Service(name, served, c.shape())
}

func (c *chaos) change(name string) {
	c.wants[name] = c.w.EditService(name, c.shape())
	if c.random.IntN(4) == 0 {
		c.nodes[0], c.nodes[1] = c.nodes[1], c.nodes[0]
	}
}

func (c *chaos) delete(name string) {
	c.w.DeleteService(name)
	c.wants[name] = c.w.ReadService(name)
}

// shape gives a Service random ports, kind, floating IP and wish for an address.
func (c *chaos) shape() func(*corev1.Service) {
	all := []corev1.ServicePort{world.TCP(80), world.UDP(80), world.TCP(443), world.UDP(53)}
	c.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	ports := all[:1+c.random.IntN(3)]
	kind := config.LoadBalancerNLB
	if c.random.IntN(5) == 0 {
		kind = config.LoadBalancerIPAM
	}
	floating := strconv.FormatBool(c.random.IntN(3) == 0)
	return func(s *corev1.Service) {
		s.Spec.Ports = ports
		world.Annotate(loadbalancer.AnnotationType, string(kind))(s)
		delete(s.Annotations, loadbalancer.AnnotationFloatingIP)
		if kind == config.LoadBalancerNLB {
			world.Annotate(loadbalancer.AnnotationFloatingIP, floating)(s)
		}
	}
}

// sync does what the framework's service controller does with a Service once.
func (c *chaos) sync(ctx context.Context, name string, nodes []*corev1.Node) error {
	c.syncs++
	service := c.w.ReadService(name)
	if service.DeletionTimestamp == nil {
		status, err := c.balancer.EnsureLoadBalancer(ctx, "", service, nodes)
		if err == nil {
			c.wants[name] = c.w.SetIngress(name, status)
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
	c.w.ForceAway(name)
	delete(c.wants, name)
	return nil
}

// settle lets the balancer finish with every Service, and compares. What a task does later is nothing that it could know of.
func (c *chaos) settle() {
	c.w.Idle()
	for _, name := range c.names() {
		require.NoError(c.t, c.sync(c.t.Context(), name, c.nodes), name)
	}
	c.compare()
}

// compare checks that there is in Prism Central what the Services want, and nothing else.
func (c *chaos) compare() {
	want := []string{}
	for _, name := range c.names() {
		service := c.w.ReadService(name)
		own := c.w.Config.ClusterName + "-" + string(service.UID)
		address := service.Annotations[world.KubeVIPAnnotation]
		if service.Annotations[loadbalancer.AnnotationType] == string(config.LoadBalancerNLB) {
			address = c.inside(service)
			require.Empty(c.t, c.w.Imbalance(service, address, "worker-1", "worker-2"))
			for _, port := range service.Spec.Ports {
				want = append(want, fmt.Sprintf("session %s-%s-%d", own, strings.ToLower(string(port.Protocol)), port.Port))
			}
		}
		want = append(want, "reservation "+address+" "+c.w.Config.ClusterName+"/"+string(service.UID))
		if service.Annotations[loadbalancer.AnnotationFloatingIP] == "true" {
			want = append(want, "floating IP "+service.Status.LoadBalancer.Ingress[0].IP+" "+own)
		}
	}
	slices.Sort(want)
	require.Equal(c.t, want, c.w.Pieces())
}

// inside is the virtual IP of a Service: that of its sessions, which have one and the same, or none is right.
func (c *chaos) inside(service *corev1.Service) string {
	found := ""
	for _, session := range c.w.Sessions(service) {
		require.True(c.t, found == "" || found == session.VirtualIP, "sessions on %s and %s", found, session.VirtualIP)
		found = session.VirtualIP
	}
	return found
}

// interrupted synchronises one Service with one fault at a random request.
func (c *chaos) interrupted(name string) {
	faults := []string{"killed before", "killed after", "answer lost", "503", "task failed", "task failed after its work"}
	kind := faults[c.random.IntN(len(faults))]
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	var struck atomic.Bool
	at := int64(1 + c.random.IntN(16))
	killed := kind == "killed before" || kind == "killed after"
	switch kind {
	case "task failed", "task failed after its work":
		id, err := c.w.Prism.Faults().Set(prismsim.Fault{
			Path: "^/api/networking/", Method: http.MethodPost, Skip: int(at / 6), Times: 1, TaskError: "the backend is out of order",
			AfterWork: kind == "task failed after its work",
		})
		require.NoError(c.t, err)
		defer func() {
			struck.Store(c.w.Struck(id))
			c.w.Prism.Faults().Clear(id)
			c.note(kind, struck.Load())
		}()
	default:
		c.w.Proxy.Judge(strike(kind, at, &struck, cancel))
		defer func() {
			c.w.Proxy.Judge(nil)
			c.note(kind, struck.Load())
		}()
	}
	err := c.sync(ctx, name, c.nodes[:1+c.random.IntN(2)])
	var refusal *loadbalancer.Refusal
	require.NotErrorAs(c.t, err, &refusal, "a fault is not told as a refusal")
	require.NotErrorIs(c.t, err, cloudprovider.ImplementedElsewhere)
	if killed {
		c.restart()
	}
}

func (c *chaos) note(kind string, struck bool) {
	if !struck {
		return
	}
	c.count++
	c.kinds[kind]++
}

// strike is a rule that lets requests pass until one, which suffers. A killed process asks nothing any more.
func strike(kind string, at int64, struck *atomic.Bool, kill func()) world.Rule {
	var asked int64
	return func(*http.Request) world.Verdict {
		asked++
		killed := kind == "killed before" || kind == "killed after"
		switch {
		case asked > at && killed:
			return world.Verdict{HoldRequest: true}
		case asked != at:
			return world.Pass
		}
		struck.Store(true)
		switch kind {
		case "killed before":
			kill()
			return world.Verdict{HoldRequest: true}
		case "killed after":
			return world.Verdict{HoldReply: true, Then: kill}
		case "answer lost":
			return world.Verdict{LoseReply: true}
		default:
			return world.Verdict{Status: http.StatusServiceUnavailable, ContentType: "text/plain", Body: "upstream is down"}
		}
	}
}
