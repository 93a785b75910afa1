package instance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/nutanix"
)

// Labels that Nutanix's own cloud controller manager gives to nodes too.
const (
	LabelPrismElementUUID = "nutanix.com/prism-element-uuid"
	LabelPrismElementName = "nutanix.com/prism-element-name"
	LabelHostUUID         = "nutanix.com/prism-host-uuid"
	LabelHostName         = "nutanix.com/prism-host-name"
	LabelMetroSiteGroup   = "nutanix.com/metro-site-group"
)

// metroAttributes are the keys of the attribute that CAPX writes for nodes of a metro cluster, without and with a prefix.
var metroAttributes = []string{"metro-node-group-name", "nutanix.com/metro-node-group-name"}

// extraLabels are labels beside those of Kubernetes. What cannot be told is left out: a label is never worth a node.
func (i *Instances) extraLabels(ctx context.Context, settings config.Config, vm nutanix.VM) map[string]string {
	labels := map[string]string{}
	set := func(key, text string) {
		if value := labelValue(text); value != "" {
			labels[key] = value
		}
	}
	set(LabelMetroSiteGroup, vm.Attribute(metroAttributes...))
	if !settings.EnableCustomLabeling {
		return labels
	}
	set(LabelPrismElementUUID, vm.PrismElementUUID)
	if element, err := i.prismElement(ctx, vm); err != nil {
		klog.FromContext(ctx).Info("Leaving out a label", "label", LabelPrismElementName, "vm", vm.UUID, "err", err)
	} else {
		set(LabelPrismElementName, element.Name)
	}
	set(LabelHostUUID, vm.HostUUID)
	set(LabelHostName, i.hostName(ctx, vm))
	return labels
}

// hostName is the name of the hypervisor host, "" when it is unknown or the virtual machine is on none.
func (i *Instances) hostName(ctx context.Context, vm nutanix.VM) string {
	if vm.HostUUID == "" {
		return ""
	}
	isIt := func(h nutanix.Host) bool { return h.UUID == vm.HostUUID }
	hosts, err := i.hosts.get(ctx, func(all []nutanix.Host) bool { return slices.ContainsFunc(all, isIt) })
	at := slices.IndexFunc(hosts, isIt)
	if err != nil || at < 0 {
		klog.FromContext(ctx).Info("Leaving out a label", "label", LabelHostName, "host", vm.HostUUID, "err", err)
		return ""
	}
	return hosts[at].Name
}

// digestLength is how many hexadecimal digits tell names apart that look the same as labels.
const digestLength = 8

// labelValue makes a valid label value of any text, always the same one. Characters that labels do not have become "-". Where
// more than that is lost, as with other scripts and long names, the beginning of the text's SHA-256 follows, so that different
// names stay different. Empty only for the empty text.
func labelValue(text string) string {
	if len(validation.IsValidLabelValue(text)) == 0 {
		return text
	}
	foreign := false
	value := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_.", r):
			return r
		case r > 0x7e:
			foreign = true
		}
		return '-'
	}, text)
	value = strings.Trim(value, "-_.")
	if value != "" && !foreign && len(value) <= validation.LabelValueMaxLength {
		return value
	}
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])[:digestLength]
	if room := validation.LabelValueMaxLength - digestLength - 1; len(value) > room {
		value = strings.TrimRight(value[:room], "-_.")
	}
	if value == "" {
		return digest
	}
	return value + "-" + digest
}
