package prism

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/prismv4"
	"github.com/capnt/capnt/internal/prismv4/vmm"
)

// v4VM contains the fields of a virtual machine that are read from responses.
type v4VM struct {
	v4VMFields
	raw json.RawMessage
}

type v4VMFields struct {
	vmm.VM
	Disks []struct {
		Address struct {
			BusType string `json:"busType"`
			Index   int    `json:"index"`
		} `json:"diskAddress"`
		Backing struct {
			VolumeGroupExtID string `json:"volumeGroupExtId"`
		} `json:"backingInfo"`
	} `json:"disks"`
}

func (v *v4VM) UnmarshalJSON(data []byte) error {
	v.raw = slices.Clone(data)
	return json.Unmarshal(data, &v.v4VMFields)
}

// uncategorized is a VM without the keys and values of its categories. The v4 API returns only the UUIDs of the categories.
type uncategorized struct {
	VM
	categories []string
	groups     []VolumeGroup
}

// v4VMs is the kind of virtual machines.
var v4VMs = v4Kind[v4VM, uncategorized]{prismv4.VMM, vmm.Path, (*v4VM).UUID, func(in *v4VM) uncategorized {
	out := uncategorized{categories: in.CategoryUUIDs(), VM: VM{
		UUID: in.UUID(), Name: in.Name, Description: in.Description, State: "COMPLETE", PrismElement: in.Cluster.UUID(),
		Addresses: in.addresses(), Digest: in.digest(),
	}}
	if in.PowerState == "ON" || in.PowerState == "OFF" || in.PowerState == "PAUSED" { // otherwise Prism Central does not know the power state
		out.PowerState = in.PowerState
	}
	for _, disk := range in.Disks {
		if uuid := disk.Backing.VolumeGroupExtID; uuid != "" {
			group := VolumeGroup{UUID: strings.ToLower(uuid)}
			if disk.Address.BusType != "" {
				group.Address = fmt.Sprintf("%s.%d", strings.ToLower(disk.Address.BusType), disk.Address.Index)
			}
			out.groups = append(out.groups, group)
		}
	}
	return out
}}

// digest returns VM.Digest. It leaves out the host, which a live migration changes, and fields that are not part of the configuration.
func (v *v4VM) digest() string {
	categories := v.CategoryUUIDs()
	slices.Sort(categories)
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, part := range []any{generic(v.raw, "host", "updateTime", "categories", "links", "$reserved"), categories} {
		_ = encoder.Encode(part) // values that come from JSON can be encoded, and a hash accepts every write
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (v *v4VM) addresses() []string {
	var found []string
	for i := range v.NICs {
		primary, secondary := v.NICs[i].Configured()
		for _, address := range slices.Concat([]netip.Addr{primary}, secondary, v.NICs[i].Learned()) {
			if text := address.String(); address.IsValid() && !slices.Contains(found, text) {
				found = append(found, text)
			}
		}
	}
	return found
}

func (a apiV4) vm(ctx context.Context, uuid string) (*VM, error) {
	found, err := v4VMs.get(ctx, a, uuid)
	if err != nil {
		return nil, err
	}
	vms, err := a.categorize(ctx, []uncategorized{found})
	if err != nil {
		return nil, err
	}
	return &vms[0], nil
}

func (a apiV4) allVMs(ctx context.Context) (VMList, error) {
	var found []uncategorized
	complete := true
	err := a.call(ctx, prismv4.VMM+vmm.Path, func(ctx context.Context) (err error) {
		found, err = prismv4.ListOnce(ctx, a.prism, v4VMs.list())
		if errors.Is(err, prismv4.ErrIncomplete) {
			complete, err = false, nil
		}
		return err
	})
	if err != nil {
		return VMList{}, err
	}
	vms, err := a.categorize(ctx, found)
	return VMList{VMs: vms, Complete: complete}, err
}

func (a apiV4) vmsOfCategory(ctx context.Context, key, value string) ([]VM, error) {
	categories, err := a.categories(prismv4.Equals("key", key), prismv4.Equals("value", value)).read(ctx, a.Client)
	if err != nil {
		return nil, err
	}
	var all []VM
	for _, category := range categories {
		if category.Key != key || category.Value != value {
			continue
		}
		vms, err := v4VMs.lookUp(a, identifier{}, prismv4.AnyOf("categories", "extId", category.UUID)).read(ctx, a.Client)
		if err != nil {
			return nil, err
		}
		vms = slices.DeleteFunc(vms, func(vm uncategorized) bool { return !slices.Contains(vm.categories, category.UUID) })
		named, err := a.categorize(ctx, vms)
		if err != nil {
			return nil, err
		}
		all = append(all, named...)
	}
	return sortByUUID(all), nil
}

func (a apiV4) task(ctx context.Context, uuid string) (task *Task, err error) {
	err = a.call(ctx, "prism/config/tasks/"+uuid, func(ctx context.Context) error {
		found, err := a.prism.Task(ctx, "Task", taskPrefix+uuid)
		task = &Task{UUID: uuid, Status: found.Status, Error: found.ErrorText()}
		vm, _ := found.Created("vm")
		task.VM = strings.ToLower(vm)
		return err
	})
	if err != nil {
		return nil, err
	}
	return task, nil
}

// taskPrefix is the prefix of task IDs in the v4 API.
const taskPrefix = "ZXJnb24=:"

func (a apiV4) attachments(ctx context.Context, vmUUID string) (*Attachments, error) {
	found, err := v4VMs.get(ctx, a, vmUUID)
	if err != nil {
		return nil, err
	}
	return &Attachments{Groups: found.groups, Description: found.Description, vm: found.UUID}, nil
}

// detach sends one request for each volume group. It stops at the first error.
func (a apiV4) detach(ctx context.Context, attachments *Attachments) (task string, err error) {
	for _, group := range attachments.Groups {
		path := "/config/volume-groups/" + group.UUID + "/$actions/detach-vm"
		err := a.call(ctx, prismv4.Volumes+path, func(ctx context.Context) (err error) {
			task, err = a.prism.Start(ctx, prismv4.Change{
				Operation: "DetachVolumeGroup", Method: http.MethodPost, Namespace: prismv4.Volumes, Path: path, Object: group.UUID,
				Body: map[string]string{"extId": attachments.vm},
			})
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return task, nil
}
