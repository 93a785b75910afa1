package prism

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (a apiV3) attachments(ctx context.Context, vmUUID string) (*Attachments, error) {
	var raw json.RawMessage
	if err := a.get(ctx, &raw, "vms", vmUUID); err != nil {
		return nil, err
	}
	attachments := &Attachments{vm: vmUUID, body: map[string]any{}}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // numbers must be sent back unchanged
	if err := decoder.Decode(&attachments.body); err != nil {
		return nil, &ResponseError{Address: a.address, Path: "vms/" + attachments.vm, Err: err}
	}
	attachments.Description = cmp.Or(text(object(attachments.body, "status"), "description"), text(object(attachments.body, "spec"), "description"))
	// The status contains the current disks of the VM. The spec contains only the disks that the last update through the v3 API set.
	for _, disk := range objects(attachments.body, "status", "resources", "disk_list") {
		if group := volumeGroupOf(disk); group.UUID != "" {
			attachments.Groups = append(attachments.Groups, group)
		}
	}
	return attachments, nil
}

// detach sends an update of the VM that removes its volume groups and leaves its power state and its other disks unchanged. If the VM has
// changed since it was read, Prism Central rejects the update with status 409.
func (a apiV3) detach(ctx context.Context, attachments *Attachments) (task string, err error) {
	body, err := json.Marshal(attachments.withoutGroups())
	if err != nil {
		return "", fmt.Errorf("writing the request that detaches the volume groups of VM %s: %w", attachments.vm, err)
	}
	var reply struct {
		Status struct {
			ExecutionContext struct {
				TaskUUID string `json:"task_uuid"`
			} `json:"execution_context"`
		} `json:"status"`
	}
	if err := a.call(ctx, http.MethodPut, "vms/"+attachments.vm, body, &reply); err != nil {
		return "", err
	}
	return reply.Status.ExecutionContext.TaskUUID, nil
}

// withoutGroups returns the body of the update that detaches the volume groups.
func (a *Attachments) withoutGroups() map[string]any {
	body := map[string]any{}
	for _, part := range []string{"api_version", "metadata", "spec"} {
		if content, ok := a.body[part]; ok {
			body[part] = content
		}
	}
	resources := object(body, "spec", "resources")
	resources["disk_list"] = slices.DeleteFunc(objects(resources, "disk_list"), func(disk map[string]any) bool {
		return volumeGroupOf(disk).UUID != ""
	})
	// The power state in the spec is the one that the last update set. It is replaced by the current power state, so that this update does
	// not change the power state.
	if state, ok := object(a.body, "status", "resources")["power_state"]; ok {
		resources["power_state"] = state
	}
	// Prism Central rejects an update with an IP address that the guest configured itself (LEARNED).
	for _, nic := range objects(body, "spec", "resources", "nic_list") {
		if endpoints := objects(nic, "ip_endpoint_list"); endpoints != nil {
			nic["ip_endpoint_list"] = slices.DeleteFunc(endpoints, func(endpoint map[string]any) bool { return endpoint["type"] == "LEARNED" })
		}
	}
	// If a key has several values, only categories_mapping contains all of them.
	metadata := object(body, "metadata")
	for _, values := range object(metadata, "categories_mapping") {
		if list, ok := values.([]any); ok && len(list) > 1 {
			metadata["use_categories_mapping"] = true
		}
	}
	return body
}

func volumeGroupOf(disk map[string]any) VolumeGroup {
	reference := object(disk, "volume_group_reference")
	group := VolumeGroup{UUID: strings.ToLower(text(reference, "uuid")), Name: text(reference, "name")}
	address := object(disk, "device_properties", "disk_address")
	if adapter := text(address, "adapter_type"); adapter != "" {
		group.Address = fmt.Sprintf("%s.%v", strings.ToLower(adapter), address["device_index"])
	}
	return group
}

// object returns the JSON object at a path. If it does not exist, object returns a new empty object that is not part of the parent.
func object(of map[string]any, path ...string) map[string]any {
	for _, name := range path {
		next, ok := of[name].(map[string]any)
		if !ok {
			return map[string]any{}
		}
		of = next
	}
	return of
}

// objects returns the JSON objects in the list at a path.
func objects(of map[string]any, path ...string) []map[string]any {
	last := len(path) - 1
	list, ok := object(of, path[:last]...)[path[last]].([]any)
	if !ok {
		return nil
	}
	found := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			found = append(found, entry)
		}
	}
	return found
}

func text(of map[string]any, name string) string {
	value, _ := of[name].(string)
	return value
}
