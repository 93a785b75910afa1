package prism_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/prism"
)

const password = "Pass/Word-not-to-be-seen"

const inventory = `
prismElements:
- name: pe-1
  hosts:
  - {name: host-1, gpus: [{name: Tesla T4, vendor: NVIDIA, mode: PASSTHROUGH_COMPUTE, deviceID: 7864, count: 2}]}
  - {name: host-2, gpus: [{name: GRID A100-10C, vendor: NVIDIA, mode: VIRTUAL, deviceID: 557, fraction: 4}]}
  storageContainers: [{name: default}, {name: fast}]
- {name: pe-2, storageContainers: [{name: default}]}
subnets:
- {name: net, prismElement: pe-1, cidr: 10.0.0.0/16, ipam: true, pools: [10.0.0.10-10.0.9.250]}
- {name: net, uuid: 22222222-0000-4000-8000-000000000002, prismElement: pe-2}
- {name: only-two, prismElement: pe-2}
- {name: double, prismElement: pe-1, uuid: 22222222-0000-4000-8000-000000000003}
- {name: double, prismElement: pe-1, uuid: 22222222-0000-4000-8000-000000000004}
- {name: "it's (dev)", prismElement: pe-1}
- {name: overlay, type: OVERLAY}
images:
- {name: ubuntu-22.04-1.33.1, created: 2026-01-01T00:00:00Z}
- {name: capx-ubuntu-22.04-1.33.1-a, created: 2026-01-02T00:00:00Z}
- {name: capx-ubuntu-22.04-1.33.1-b, created: 2026-01-03T00:00:00Z}
- {name: twin, uuid: 33333333-0000-4000-8000-000000000001}
- {name: TWIN, uuid: 33333333-0000-4000-8000-000000000002}
projects: [{name: default}, {name: team a}]
categories:
- {key: KubernetesClusterName, values: [c1, c2]}
- {key: "it's a key", values: ["a value"]}
`

// simulated is a simulated Prism Central with a client for each generation of the API.
type simulated struct {
	*prismsim.Server
	clients map[prism.Generation]*prism.Client
}

func simulate(t *testing.T, change ...func(*prismsim.Inventory)) simulated {
	t.Helper()
	parsed, err := prismsim.ParseInventory([]byte(inventory))
	require.NoError(t, err)
	for _, change := range change {
		change(parsed)
	}
	server, err := prismsim.New(prismsim.Options{Inventory: parsed, Password: password})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	require.NoError(t, server.Start(context.WithoutCancel(t.Context())))
	s := simulated{server, map[prism.Generation]*prism.Client{}}
	upstream := prism.Upstream{Address: server.Address(), CABundle: server.CABundle(), Username: server.Username(), Password: password}
	for _, generation := range []prism.Generation{prism.V3, prism.V4} {
		client, err := prism.New(upstream, prism.Options{API: generation})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		s.clients[generation] = client
	}
	return s
}

func (s simulated) addVMs(t *testing.T, count int) []prismsim.VM {
	t.Helper()
	vms, err := s.AddVMs(prismsim.Fleet{
		Count: count, NamePrefix: "node", PrismElement: "pe-1", Subnets: []string{"net"}, Categories: map[string]string{"KubernetesClusterName": "c1"},
	})
	require.NoError(t, err)
	return vms
}

// requests returns the requests of a call.
func (s simulated) requests(call func()) []prismsim.Request {
	before := len(s.Requests())
	call()
	return s.Requests()[before:]
}

func byName(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name}
}

func byUUID(uuid string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: &uuid}
}

const (
	unknown         = "99999999-0000-4000-8000-000000000099"
	imageUUID       = "33333333-0000-4000-8000-000000000001"
	subnetUUID      = "22222222-0000-4000-8000-000000000004"
	otherSubnetUUID = "22222222-0000-4000-8000-000000000002" // of the other Prism Element
)

// read is a read of a client.
type read func(ctx context.Context, c *prism.Client) (any, error)

// readings returns reads with all methods of a client.
func readings(pe1 string, vm prismsim.VM) map[string]read {
	reads := map[string]read{
		"ping":            func(ctx context.Context, c *prism.Client) (any, error) { return nil, c.Ping(ctx) },
		"available":       func(ctx context.Context, c *prism.Client) (any, error) { return c.AvailablePrismElements(ctx) },
		"category":        category("a value"),
		"no category":     category("c1"),
		"image lookup":    imageLookup("v1.33.1"),
		"no image lookup": imageLookup("v1.99.0"),
		"GPUs":            gpus(pe1, 7864, 7864),
		"virtual GPUs":    gpus(pe1, 557, 557),
		"too many GPUs":   gpus(pe1, 7864, 7864, 7864),
		"no such GPU":     gpus(pe1, 1),
		"no VM":           func(ctx context.Context, c *prism.Client) (any, error) { return c.VM(ctx, unknown) },
		"no attachments":  func(ctx context.Context, c *prism.Client) (any, error) { return c.Attachments(ctx, unknown) },
		"no task":         func(ctx context.Context, c *prism.Client) (any, error) { return c.Task(ctx, unknown) },
		"VM": func(ctx context.Context, c *prism.Client) (any, error) {
			found, err := c.VM(ctx, strings.ToUpper(vm.UUID))
			if err != nil {
				return nil, err
			}
			return withoutDigest([]prism.VM{*found}), nil
		},
		"VMs": func(ctx context.Context, c *prism.Client) (any, error) {
			list, err := c.AllVMs(ctx)
			return prism.VMList{VMs: withoutDigest(list.VMs), Complete: list.Complete}, err
		},
	}
	for _, value := range []string{"c1", "c2"} {
		reads["VMs of "+value] = func(ctx context.Context, c *prism.Client) (any, error) {
			vms, err := c.VMsOfCategory(ctx, "KubernetesClusterName", value)
			return withoutDigest(vms), err
		}
	}
	addLookUps(reads, pe1)
	return reads
}

// category looks up a category and removes its UUID, which only the v4 API has.
func category(value string) read {
	return func(ctx context.Context, c *prism.Client) (any, error) {
		found, err := c.Category(ctx, "it's a key", value)
		if found == nil {
			return found, err
		}
		return &prism.Category{Key: found.Key, Value: found.Value}, err
	}
}

func imageLookup(version string) read {
	return func(ctx context.Context, c *prism.Client) (any, error) {
		return c.ImageLookup(ctx, infrav1.NutanixImageLookup{BaseOS: "ubuntu-22.04"}, version)
	}
}

func gpus(pe1 string, deviceIDs ...int64) read {
	var requests []infrav1.NutanixGPU
	for _, id := range deviceIDs {
		requests = append(requests, infrav1.NutanixGPU{Type: infrav1.NutanixGPUIdentifierDeviceID, DeviceID: &id})
	}
	return func(ctx context.Context, c *prism.Client) (any, error) { return c.GPUs(ctx, requests, pe1) }
}

// addLookUps adds look-ups by name and by UUID.
func addLookUps(reads map[string]read, pe1 string) {
	for kind, lookUp := range map[string]func(context.Context, *prism.Client, infrav1.NutanixResourceIdentifier) (any, error){
		"element": func(ctx context.Context, c *prism.Client, id infrav1.NutanixResourceIdentifier) (any, error) {
			return c.PrismElement(ctx, id)
		},
		"image": func(ctx context.Context, c *prism.Client, id infrav1.NutanixResourceIdentifier) (any, error) {
			return c.Image(ctx, id)
		},
		"project": func(ctx context.Context, c *prism.Client, id infrav1.NutanixResourceIdentifier) (any, error) {
			return c.Project(ctx, id)
		},
		"subnet": func(ctx context.Context, c *prism.Client, id infrav1.NutanixResourceIdentifier) (any, error) {
			return c.Subnet(ctx, id, pe1)
		},
		"container": func(ctx context.Context, c *prism.Client, id infrav1.NutanixResourceIdentifier) (any, error) {
			return c.StorageContainer(ctx, id, pe1)
		},
	} {
		for _, name := range []string{
			"none", "pe-1", "PE-2", "prism-central", "net", "only-two", "double", "it's (dev)", "overlay", "ubuntu-22.04-1.33.1", "twin", "default", "team a", "fast",
		} {
			reads[kind+" "+name] = func(ctx context.Context, c *prism.Client) (any, error) { return lookUp(ctx, c, byName(name)) }
		}
		for _, uuid := range []string{unknown, pe1, imageUUID, subnetUUID, otherSubnetUUID} {
			reads[kind+" "+uuid] = func(ctx context.Context, c *prism.Client) (any, error) { return lookUp(ctx, c, byUUID(uuid)) }
		}
	}
}

// withoutDigest removes the digests and the UUIDs of categories, which differ between the generations.
func withoutDigest(vms []prism.VM) []prism.VM {
	for i := range vms {
		vms[i].Digest, vms[i].AllCategories = "", nil
	}
	return vms
}

// TestBothGenerationsReadTheSame checks that all reads return the same results and errors through v3 and v4, and that a client for v4 sends
// v3 requests only for projects.
func TestBothGenerationsReadTheSame(t *testing.T) {
	s := simulate(t)
	vms := s.addVMs(t, 250)
	_, err := s.AddVMs(prismsim.Fleet{Count: 1, NamePrefix: "off", PrismElement: "pe-2", Subnets: []string{"overlay"}, Off: true})
	require.NoError(t, err)
	element, err := s.clients[prism.V3].PrismElement(t.Context(), byName("pe-1"))
	require.NoError(t, err)
	for name, read := range readings(element.UUID, vms[0]) {
		t.Run(name, func(t *testing.T) {
			want, wantErr := read(t.Context(), s.clients[prism.V3])
			requests := s.requests(func() {
				got, err := read(t.Context(), s.clients[prism.V4])
				assert.Equal(t, want, got)
				assert.Equal(t, wantErr, err)
			})
			for _, request := range requests {
				isV3 := strings.HasPrefix(request.Path, "/api/nutanix/v3/")
				assert.Equal(t, isV3, strings.HasPrefix(request.Path, "/api/nutanix/v3/projects"), request.Path)
				assert.True(t, isV3 || request.Method == "GET" || request.Method == "OPTIONS", "%s %s", request.Method, request.Path)
				assert.Equal(t, "capnt-manager", request.Agent)
			}
		})
	}
}

// TestRequestsForAMachine counts the requests of the look-ups for one machine.
func TestRequestsForAMachine(t *testing.T) {
	s := simulate(t)
	vm := s.addVMs(t, 1)[0]
	client, ctx := s.clients[prism.V4], t.Context()
	machine := func() {
		element, err := client.PrismElement(ctx, byName("pe-1"))
		require.NoError(t, err)
		_, err = client.Subnet(ctx, byName("net"), element.UUID)
		require.NoError(t, err)
		_, err = client.Image(ctx, byName("ubuntu-22.04-1.33.1"))
		require.NoError(t, err)
		_, err = client.VM(ctx, vm.UUID)
		require.NoError(t, err)
	}
	var paths []string
	for _, request := range s.requests(machine) {
		if request.Method != "OPTIONS" {
			paths = append(paths, request.Path)
		}
	}
	assert.Len(t, paths, 5, "%v", paths)
	assert.Len(t, s.requests(machine), 1, "the look-ups and the names of the categories are cached, and the VM is not")
}

// TestVolumeGroupsAreDetachedThroughV4 checks that each volume group is detached and that no v3 request is sent.
func TestVolumeGroupsAreDetachedThroughV4(t *testing.T) {
	s := simulate(t)
	vm := s.addVMs(t, 1)[0]
	for i := range 2 {
		group, err := s.AddVolumeGroup(prismsim.VolumeGroup{Name: fmt.Sprintf("pvc-%d", i), PrismElement: "pe-1", SizeMiB: 2048})
		require.NoError(t, err)
		require.NoError(t, s.AttachVolumeGroup(group, vm.UUID))
	}
	client := s.clients[prism.V4]
	shown, err := s.clients[prism.V3].Attachments(t.Context(), vm.UUID)
	require.NoError(t, err)
	requests := s.requests(func() {
		attachments, err := client.Attachments(t.Context(), vm.UUID)
		require.NoError(t, err)
		require.Len(t, attachments.Groups, 2)
		for i, group := range attachments.Groups {
			assert.Equal(t, shown.Groups[i].UUID, group.UUID)
			assert.Equal(t, shown.Groups[i].Address, group.Address)
		}
		uuid, err := client.DetachVolumeGroups(t.Context(), attachments)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			task, err := client.Task(t.Context(), uuid)
			return err == nil && task.Status == "SUCCEEDED"
		}, time.Minute, 10*time.Millisecond)
		require.Eventually(t, func() bool {
			attachments, err := client.Attachments(t.Context(), vm.UUID)
			return err == nil && len(attachments.Groups) == 0
		}, time.Minute, 10*time.Millisecond)
	})
	for _, request := range requests {
		assert.NotContains(t, request.Path, "/v3/")
	}
}

// TestErrorsOfFaults checks that both generations return errors of the same type for a fault of Prism Central.
func TestErrorsOfFaults(t *testing.T) {
	for name, fault := range map[string]prismsim.Fault{
		"429": {Status: 429}, "500": {Status: 500}, "503": {Status: 503}, "403": {Status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t)
			fault.Path = "clusters"
			_, err := s.Faults().Set(fault)
			require.NoError(t, err)
			for _, client := range s.clients {
				err := client.Ping(t.Context())
				var status *prism.StatusError
				var refused *prism.AuthenticationError
				if errors.As(err, &refused) {
					assert.Equal(t, fault.Status, refused.Status)
					assert.False(t, prism.Retryable(err))
					continue
				}
				require.ErrorAs(t, err, &status)
				assert.Equal(t, fault.Status, status.Status)
				assert.True(t, prism.Retryable(err))
			}
		})
	}
}
