package prism

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/prismv4/prismv4test"
)

// vmWithVolumeGroups is a VM as returned by Prism Central. It has two disks of its own and two volume groups. The spec contains only one
// of the volume groups. The VM also has an IP address that the guest configured, two values for one category key and an integer that
// float64 cannot represent. The power state is ON in the spec, but the VM is OFF.
const vmWithVolumeGroups = `{
 "api_version": "3.1",
 "metadata": {"kind": "vm", "uuid": "00000006-0000-4000-8000-000000000001", "spec_version": 7,
  "categories": {"env": "a"}, "categories_mapping": {"env": ["a", "b"]}},
 "spec": {"name": "vm-1", "cluster_reference": {"kind": "cluster", "uuid": "pe"}, "unknown": {"kept": 9007199254740993},
  "resources": {"power_state": "ON", "memory_size_mib": 4096,
   "nic_list": [{"uuid": "nic", "ip_endpoint_list": [{"ip": "10.0.0.1", "type": "ASSIGNED"}, {"ip": "10.0.0.2", "type": "LEARNED"}]}, {"uuid": "bare"}],
   "disk_list": [
    {"uuid": "d0", "disk_size_mib": 20480, "device_properties": {"device_type": "DISK", "disk_address": {"adapter_type": "SCSI", "device_index": 0}}},
    {"uuid": "g1", "volume_group_reference": {"kind": "volume_group", "uuid": "AAAA"}},
    {"uuid": "d1", "device_properties": {"device_type": "CDROM"}}]}},
 "status": {"state": "COMPLETE", "description": "ours", "resources": {"power_state": "OFF",
  "disk_list": [
   {"uuid": "d0"},
   {"uuid": "g1", "volume_group_reference": {"kind": "volume_group", "uuid": "AAAA", "name": "pvc-1"},
    "device_properties": {"device_type": "VOLUME_GROUP", "disk_address": {"adapter_type": "SCSI", "device_index": 1}}},
   {"uuid": "g2", "volume_group_reference": {"kind": "volume_group", "uuid": "bbbb"}}]}}}`

// withoutVolumeGroups is the body of the update that detaches the volume groups of vmWithVolumeGroups.
const withoutVolumeGroups = `{
 "api_version": "3.1",
 "metadata": {"kind": "vm", "uuid": "00000006-0000-4000-8000-000000000001", "spec_version": 7,
  "categories": {"env": "a"}, "categories_mapping": {"env": ["a", "b"]}, "use_categories_mapping": true},
 "spec": {"name": "vm-1", "cluster_reference": {"kind": "cluster", "uuid": "pe"}, "unknown": {"kept": 9007199254740993},
  "resources": {"power_state": "OFF", "memory_size_mib": 4096,
   "nic_list": [{"uuid": "nic", "ip_endpoint_list": [{"ip": "10.0.0.1", "type": "ASSIGNED"}]}, {"uuid": "bare"}],
   "disk_list": [
    {"uuid": "d0", "disk_size_mib": 20480, "device_properties": {"device_type": "DISK", "disk_address": {"adapter_type": "SCSI", "device_index": 0}}},
    {"uuid": "d1", "device_properties": {"device_type": "CDROM"}}]}}}`

func TestDetachChangesOnlyVolumeGroups(t *testing.T) {
	central := newCentral(t)
	var path, sent string
	central.failWith(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			_, _ = io.WriteString(w, vmWithVolumeGroups)
			return
		}
		path = req.Method + " " + req.URL.Path
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status": {"state": "PENDING", "execution_context": {"task_uuid": "t-1"}}}`)
	})
	client := central.client(t)
	attachments, err := client.Attachments(t.Context(), uuid(6, 1))
	require.NoError(t, err)
	assert.Equal(t, []VolumeGroup{{UUID: "aaaa", Name: "pvc-1", Address: "scsi.1"}, {UUID: "bbbb"}}, attachments.Groups)
	assert.Equal(t, "ours", attachments.Description)
	assert.Equal(t, "pvc-1 (aaaa) at scsi.1", attachments.Groups[0].String())
	assert.Equal(t, "bbbb", attachments.Groups[1].String())

	central.seen()
	task, err := client.DetachVolumeGroups(t.Context(), attachments)
	require.NoError(t, err)
	assert.Equal(t, "t-1", task)
	assert.Equal(t, "PUT /api/nutanix/v3/vms/"+uuid(6, 1), path)
	requests := central.seen()
	require.Len(t, requests, 1)
	sent = requests[0][len("vms/"+uuid(6, 1)+" "):]
	assert.JSONEq(t, withoutVolumeGroups, sent)
	assert.Contains(t, sent, "9007199254740993", "numbers are sent as they were read")
}

func TestVMWithoutVolumeGroups(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		attachments, err := client.Attachments(t.Context(), uuid(6, 1))
		require.NoError(t, err)
		assert.Empty(t, attachments.Groups)
		_, err = client.Attachments(t.Context(), uuid(6, 99))
		var missing *NotFoundError
		require.ErrorAs(t, err, &missing)
		var invalid *InvalidError
		_, err = client.Attachments(t.Context(), "")
		require.ErrorAs(t, err, &invalid)
	})
}

// v4VMWithVolumeGroups is a VM in the v4 API that has one disk of its own and two volume groups.
const v4VMWithVolumeGroups = `{"data": {"extId": "00000006-0000-4000-8000-000000000001", "description": "ours", "disks": [
 {"diskAddress": {"busType": "SCSI", "index": 0}, "backingInfo": {"$objectType": "vmm.v4.ahv.config.VmDisk", "diskExtId": "d0"}},
 {"diskAddress": {"busType": "SCSI", "index": 1}, "backingInfo": {"$objectType": "vmm.v4.ahv.config.ADSFVolumeGroupReference", "volumeGroupExtId": "AAAA"}},
 {"backingInfo": {"$objectType": "vmm.v4.ahv.config.ADSFVolumeGroupReference", "volumeGroupExtId": "bbbb"}}]}}`

func TestV4DetachesEachVolumeGroup(t *testing.T) {
	central := newCentral(t)
	central.generation = V4
	central.failWith(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			prismv4test.Answer(http.StatusOK, v4VMWithVolumeGroups)(w, req)
			return
		}
		prismv4test.Accepted()(w, req)
	})
	client := central.client(t)
	attachments, err := client.Attachments(t.Context(), uuid(6, 1))
	require.NoError(t, err)
	assert.Equal(t, []VolumeGroup{{UUID: "aaaa", Address: "scsi.1"}, {UUID: "bbbb"}}, attachments.Groups)
	assert.Equal(t, "ours", attachments.Description)
	central.seen()
	task, err := client.DetachVolumeGroups(t.Context(), attachments)
	require.NoError(t, err)
	assert.Equal(t, prismv4test.Task, task)
	body := ` {"extId":"` + uuid(6, 1) + `"}`
	assert.Equal(t, []string{
		"/api/volumes/v4.2/config/volume-groups/aaaa/$actions/detach-vm" + body, "/api/volumes/v4.2/config/volume-groups/bbbb/$actions/detach-vm" + body,
	}, central.seen())
}

func TestDetachIsSentOnce(t *testing.T) {
	for _, status := range []int{http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable, http.StatusUnauthorized} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			forBoth(t, func(t *testing.T, central *central) {
				writes := 0
				central.failWith(func(w http.ResponseWriter, req *http.Request) {
					if req.Method == http.MethodGet {
						vm := map[Generation]string{V3: vmWithVolumeGroups, V4: v4VMWithVolumeGroups}[central.generation]
						prismv4test.Answer(http.StatusOK, vm)(w, req)
						return
					}
					writes++
					refuseAny(w, req, status, "REFUSED", "it is refused")
				})
				client := central.client(t)
				attachments, err := client.Attachments(t.Context(), uuid(6, 1))
				require.NoError(t, err)
				_, err = client.DetachVolumeGroups(t.Context(), attachments)
				require.Error(t, err)
				assert.Equal(t, 1, writes)
			})
		})
	}
}

// TestAttachmentsOfIncompleteVM proves that an incomplete response for a VM does not cause a panic.
func TestAttachmentsOfIncompleteVM(t *testing.T) {
	for _, body := range []string{`{}`, `{"status": "x"}`, `{"status": {"resources": {"disk_list": [1, {"volume_group_reference": "x"}]}}}`} {
		central := newCentral(t)
		central.failWith(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		attachments, err := central.client(t).Attachments(t.Context(), uuid(6, 1))
		require.NoError(t, err)
		assert.Empty(t, attachments.Groups)
		_, err = json.Marshal(attachments.withoutGroups())
		assert.NoError(t, err)
	}
}
