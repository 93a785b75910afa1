package instance

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	k8stesting "k8s.io/client-go/testing"
)

func TestLabelValues(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"pe-a":                  "pe-a",
		"PE_1.local":            "PE_1.local",
		"Rack 7":                "Rack-7",
		" Rack/7: left ":        "Rack-7--left",
		strings.Repeat("a", 63): strings.Repeat("a", 63),
		strings.Repeat("a", 64): strings.Repeat("a", 54) + "-ffe054fe",
		"Zürich":                "Z-rich-4251685e",
		"東京":                    "130016b2",
		"---":                   "cb3f91d5",
		"\xff\xfe":              "b3d510ef",
	} {
		assert.Equal(t, want, labelValue(text), "%q", text)
	}
	assert.NotEqual(t, labelValue("東京"), labelValue("大阪"), "different names stay different")
	assert.NotEqual(t, labelValue(strings.Repeat("a", 70)+"1"), labelValue(strings.Repeat("a", 70)+"2"))
}

// FuzzLabelValue: whatever a name is, its label is valid, always the same, itself a fixed point, and not empty.
func FuzzLabelValue(f *testing.F) {
	for _, seed := range []string{"", "pe-a", "Zürich", "東京", "---", "a b", "\xff", strings.Repeat("x-", 40), "\u212a", "a\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value := labelValue(text)
		assert.Empty(t, validation.IsValidLabelValue(value), "%q", value)
		assert.Equal(t, text == "", value == "")
		assert.Equal(t, value, labelValue(text))
		assert.Equal(t, value, labelValue(value))
	})
}

func labelsOf(t *testing.T, b *bench) map[string]string {
	t.Helper()
	node, err := b.client.CoreV1().Nodes().Get(context.Background(), "worker-1", metav1.GetOptions{})
	require.NoError(t, err)
	return node.Labels
}

func patches(b *bench) int {
	n := 0
	for _, action := range b.client.Actions() {
		if action.GetVerb() == "patch" {
			n++
		}
	}
	return n
}

var extra = map[string]string{
	LabelPrismElementUUID: elementUUID, LabelPrismElementName: "pe-a", LabelHostUUID: hostUUID, LabelHostName: "host-1", LabelMetroSiteGroup: "group-1",
}

func placed(labels map[string]string) map[string]string {
	labels = maps.Clone(labels)
	labels[corev1.LabelTopologyZone], labels[corev1.LabelFailureDomainBetaZone] = "pe-a", "pe-a"
	labels[corev1.LabelTopologyRegion], labels[corev1.LabelFailureDomainBetaRegion] = "central", "central"
	return labels
}

func TestExtraLabelsAreGivenAtInitialization(t *testing.T) {
	for name, attribute := range map[string]string{"CAPX": "metro-node-group-name:group-1", "with prefix": "nutanix.com/metro-node-group-name:group-1"} {
		t.Run(name, func(t *testing.T) {
			node := registered()
			b := newBench(t, node)
			b.prism.vms[0].CustomAttributes = []string{attribute}
			metadata, err := b.InstanceMetadata(context.Background(), node)
			require.NoError(t, err)
			assert.Equal(t, extra, metadata.AdditionalLabels)
			assert.Zero(t, patches(b), "the framework writes them itself, and a patch would be in its way")
		})
	}
}

func TestWithoutCustomLabelingOnlyTheMetroSiteGroupIsALabel(t *testing.T) {
	b := newBench(t)
	b.settings.EnableCustomLabeling = false
	b.prism.vms[0].CustomAttributes = []string{"metro-node-group-name:group 1"}
	metadata, err := b.InstanceMetadata(context.Background(), registered())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{LabelMetroSiteGroup: "group-1"}, metadata.AdditionalLabels)
	assert.Zero(t, b.prism.calls["ListHosts"])
}

func TestALiveMigrationUpdatesLabels(t *testing.T) {
	node := ready()
	node.Labels = placed(extra)
	node.Labels["mine"] = "kept"
	b := newBench(t, node)
	b.prism.vms[0].CustomAttributes = []string{"metro-node-group-name:group-1"}
	_, err := b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Zero(t, patches(b), "no patch when nothing changed")

	b.prism.vms[0].HostUUID, b.prism.vms[0].PrismElementUUID = otherHost, otherPE
	b.clock.Step(b.settings.Client.CacheTTL.Duration)
	_, err = b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Equal(t, 1, patches(b))
	want := placed(extra)
	want["mine"] = "kept"
	want[LabelHostUUID], want[LabelHostName] = otherHost, "host-2"
	want[LabelPrismElementUUID], want[LabelPrismElementName] = otherPE, "pe-b"
	want[corev1.LabelTopologyZone], want[corev1.LabelFailureDomainBetaZone] = "pe-b", "pe-b"
	assert.Equal(t, want, labelsOf(t, b))
	events := b.reasons()
	require.Len(t, events, 1)
	assert.Contains(t, events[0], "Normal "+ReasonLabels)
	assert.Contains(t, events[0], "topology.kubernetes.io/zone: pe-a -> pe-b")
}

func TestWhatIsUnknownIsLeftAsItIs(t *testing.T) {
	node := ready()
	node.Labels = placed(extra)
	b := newBench(t, node)
	b.prism.vms[0].HostUUID = "" // off
	b.prism.script["ListPrismElements"] = always(errors.New("clustermgmt is away"))
	metadata, err := b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{LabelPrismElementUUID: elementUUID}, metadata.AdditionalLabels)
	assert.Zero(t, patches(b))
	assert.Empty(t, b.reasons(), "a passing fault is for the log")
}

func TestLabelsThatCannotBeWrittenAreNeverFatal(t *testing.T) {
	node := ready()
	b := newBench(t, node)
	b.client.PrependReactor("patch", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("nodes is forbidden")
	})
	for range 3 {
		metadata, err := b.InstanceMetadata(context.Background(), node)
		require.NoError(t, err)
		assert.NotEmpty(t, metadata.NodeAddresses)
	}
	assert.Equal(t, 3, patches(b), "tried at each refresh")
	events := b.reasons()
	require.Len(t, events, 1, "told once")
	assert.Contains(t, events[0], "Warning "+ReasonLabelsFailed)
	assert.Contains(t, events[0], "nodes is forbidden")

	b.prism.vms[0].HostUUID = otherHost
	b.clock.Step(b.settings.Client.CacheTTL.Duration)
	_, err := b.InstanceMetadata(context.Background(), node)
	require.NoError(t, err)
	assert.Len(t, b.reasons(), 1, "another change is told")
}

func TestAProviderIDIsThatOfTheAttribute(t *testing.T) {
	for attribute, want := range map[string]string{
		"": vmUUID, "providerID:" + strings.ToUpper(formerUUID): formerUUID, "providerid:nutanix://" + formerUUID: formerUUID,
		"providerID:worker": vmUUID, "providerID": vmUUID,
	} {
		b, node := newBench(t), registered()
		node.Status.NodeInfo.SystemUUID = vmUUID
		b.prism.vms[0].CustomAttributes = []string{attribute}
		metadata, err := b.InstanceMetadata(context.Background(), node)
		require.NoError(t, err)
		assert.Equal(t, "nutanix://"+want, metadata.ProviderID)
	}
}
