package ipam_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/record"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer/ipam"
	"github.com/capnt/capnt/ccm/nutanix"
)

const (
	cluster = "prod"
	main    = "11111111-0000-0000-0000-000000000000"
	other   = "22222222-0000-0000-0000-000000000000"
	overlay = "33333333-0000-0000-0000-000000000000"
)

// errKilled stands for the end of the process in the middle of a call, or for a lost reply.
var errKilled = errors.New("killed")

// interruption makes the call with that number (from 1) fail, before or after it has its effect. 0: none.
type interruption struct {
	call, made int
	after      bool
}

// at runs the effect of a call, or not.
func (i *interruption) at(effect func() error) error {
	i.made++
	hit := i.made == i.call
	if hit && !i.after {
		return errKilled
	}
	err := effect()
	if hit {
		return errKilled
	}
	return err
}

// prism is a Prism Central of subnets and reservations only.
type prism struct {
	nutanix.API
	*interruption
	subnets  []nutanix.Subnet
	reserved map[string]map[netip.Addr]string
}

func newPrism(i *interruption) *prism {
	return &prism{interruption: i, reserved: map[string]map[netip.Addr]string{main: {}, other: {}, overlay: {}}, subnets: []nutanix.Subnet{
		{UUID: main, Name: "vlan-7", Prefix: netip.MustParsePrefix("10.0.0.0/28")},
		{UUID: other, Name: "vlan-8", Prefix: netip.MustParsePrefix("10.0.8.0/28")},
		{UUID: overlay, Name: "overlay", Prefix: netip.MustParsePrefix("10.9.0.0/24"), VPCUUID: "44444444-0000-0000-0000-000000000000"},
		{UUID: "55555555-0000-0000-0000-000000000000", Name: "unmanaged"},
		{UUID: "66666666-0000-0000-0000-000000000000", Name: "twice", Prefix: netip.MustParsePrefix("10.6.0.0/24")},
		{UUID: "77777777-0000-0000-0000-000000000000", Name: "twice", Prefix: netip.MustParsePrefix("10.7.0.0/24")},
	}}
}

func (p *prism) ListSubnets(_ context.Context, name string) (found []nutanix.Subnet, err error) {
	err = p.at(func() error {
		for _, s := range p.subnets {
			if name == "" || s.Name == name {
				found = append(found, s)
			}
		}
		return nil
	})
	return found, err
}

func (p *prism) ListReservedIPs(_ context.Context, subnet string) (found []nutanix.ReservedIP, err error) {
	err = p.at(func() error {
		for _, address := range slices.SortedFunc(maps.Keys(p.reserved[subnet]), netip.Addr.Compare) {
			found = append(found, nutanix.ReservedIP{Address: address, ClientContext: p.reserved[subnet][address]})
		}
		return nil
	})
	return found, err
}

func (p *prism) ReserveIP(_ context.Context, subnet string, address netip.Addr, clientContext string) (given netip.Addr, err error) {
	err = p.at(func() error {
		prefix := p.subnets[slices.IndexFunc(p.subnets, func(s nutanix.Subnet) bool { return s.UUID == subnet })].Prefix
		if address.IsValid() {
			if _, taken := p.reserved[subnet][address]; taken {
				return &nutanix.Error{Operation: "ReserveIP", Kind: nutanix.Conflict, Message: "address is in use"}
			}
			given = address
		} else {
			// The lowest two are the network and its gateway.
			for given = prefix.Addr().Next().Next(); ; given = given.Next() {
				if !prefix.Contains(given) {
					return &nutanix.Error{Operation: "ReserveIP", Kind: nutanix.Exhausted, Message: "no free address"}
				}
				if _, taken := p.reserved[subnet][given]; !taken {
					break
				}
			}
		}
		p.reserved[subnet][given] = clientContext
		return nil
	})
	return given, err
}

func (p *prism) UnreserveIPs(_ context.Context, subnet string, addresses ...netip.Addr) error {
	return p.at(func() error {
		for _, address := range addresses {
			delete(p.reserved[subnet], address)
		}
		return nil
	})
}

// all lists "<address> <client context>" of all reservations.
func (p *prism) all() []string {
	var all []string
	for _, reserved := range p.reserved {
		for address, clientContext := range reserved {
			all = append(all, address.String()+" "+clientContext)
		}
	}
	slices.Sort(all)
	return all
}

// bed is a backend between a Prism Central and an API server, both of which can be interrupted.
type bed struct {
	*testing.T
	*interruption
	prism   *prism
	api     nutanix.API
	kube    *fake.Clientset
	config  config.Config
	backend *ipam.Backend
}

func newBed(t *testing.T) *bed {
	b := &bed{T: t, interruption: &interruption{}, kube: fake.NewClientset()}
	b.prism = newPrism(b.interruption)
	b.api = b.prism
	b.config = config.Config{ClusterName: cluster, LoadBalancer: config.LoadBalancer{IPAM: &config.IPAM{
		Subnet:            config.Identifier{Type: "name", Name: "vlan-7"},
		AdditionalSubnets: []config.Identifier{{Type: "uuid", UUID: other}},
	}}}
	b.kube.PrependReactor("*", "services", func(action k8stesting.Action) (bool, runtime.Object, error) {
		var object runtime.Object
		err := b.at(func() (err error) {
			_, object, err = k8stesting.ObjectReaction(b.kube.Tracker())(action)
			return err
		})
		return true, object, err
	})
	b.restart()
	return b
}

// restart makes a new backend, which remembers nothing.
func (b *bed) restart() {
	b.backend = ipam.New(ipam.Options{
		API: b.api, Config: func() config.Config { return b.config }, Client: b.kube, Events: record.NewFakeRecorder(10000),
	})
}

// service makes a Service with annotations given as name, value, name, value.
func (b *bed) service(number int, annotations ...string) *corev1.Service {
	b.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("web-%d", number), UID: types.UID(fmt.Sprintf("aaaaaaaa-0000-0000-0000-%012d", number)),
			Annotations: map[string]string{},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
	}
	for i := 0; i < len(annotations); i += 2 {
		s.Annotations[annotations[i]] = annotations[i+1]
	}
	require.NoError(b, b.kube.Tracker().Add(s))
	return s
}

// read reads the Service as it is now.
func (b *bed) read(s *corev1.Service) *corev1.Service {
	b.Helper()
	object, err := b.kube.Tracker().Get(corev1.SchemeGroupVersion.WithResource("services"), s.Namespace, s.Name)
	require.NoError(b, err)
	return object.(*corev1.Service).DeepCopy()
}

// change changes the Service as a person does.
func (b *bed) change(s *corev1.Service, change func(*corev1.Service)) {
	b.Helper()
	now := b.read(s)
	change(now)
	require.NoError(b, b.kube.Tracker().Update(corev1.SchemeGroupVersion.WithResource("services"), now, s.Namespace))
}

// ensure ensures the Service as it is now.
func (b *bed) ensure(s *corev1.Service) error {
	_, err := b.backend.Ensure(b.Context(), b.read(s), nil)
	return err
}
