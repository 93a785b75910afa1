package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate gives everything that is wrong with a configuration that has its defaults.
func (c *Config) Validate() field.ErrorList {
	errs := c.PrismCentral.validate(field.NewPath("prismCentral"))
	for i, text := range c.IgnoredNodeIPs {
		if _, err := ParseAddressRange(text); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("ignoredNodeIPs").Index(i), text,
				`an address, a range ("10.0.0.1-10.0.0.9") or a CIDR is needed: `+err.Error()))
		}
	}
	errs = append(errs, c.TopologyDiscovery.validate(field.NewPath("topologyDiscovery"))...)
	errs = append(errs, c.validateClusterName(field.NewPath("clusterName"))...)
	if c.ControlPlaneEndpoint != "" {
		errs = append(errs, host(c.ControlPlaneEndpoint, field.NewPath("controlPlaneEndpoint"))...)
	}
	errs = append(errs, oneOf(c.InstanceType, field.NewPath("instanceType"), InstanceTypeConstant, InstanceTypeSize)...)
	errs = append(errs, c.LoadBalancer.validate(field.NewPath("loadBalancer"))...)
	errs = append(errs, c.Routes.validate(field.NewPath("routes"))...)
	return append(errs, c.Client.validate(field.NewPath("client"))...)
}

// validateClusterName insists on a name where it marks what is ours. "kubernetes" is what kubeadm and --cluster-name give
// every cluster that was never named: two of them would take each other's load balancers for their own.
func (c *Config) validateClusterName(path *field.Path) field.ErrorList {
	marks := c.LoadBalancer.Offered() || c.Routes.Enabled
	switch {
	case c.ClusterName == "" && marks:
		return field.ErrorList{field.Required(path, "load balancers and routes in Prism Central are marked with it, so no other cluster there may have the same")}
	case c.ClusterName == "kubernetes" && marks:
		return field.ErrorList{field.Invalid(path, c.ClusterName, "every cluster that was never named has this name: one that no other cluster in Prism Central has is needed")}
	case c.ClusterName == "":
		return nil
	}
	if len(c.ClusterName) > validation.DNS1123LabelMaxLength {
		return field.ErrorList{field.TooLong(path, c.ClusterName, validation.DNS1123LabelMaxLength)}
	}
	return objectName(c.ClusterName, path)
}

func (p *PrismCentral) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p.Address == "" {
		errs = append(errs, field.Required(path.Child("address"), "the host name or IP address of Prism Central is needed"))
	} else {
		errs = append(errs, host(p.Address, path.Child("address"))...)
	}
	if p.Port < 1 || p.Port > 65535 {
		errs = append(errs, field.Invalid(path.Child("port"), p.Port, "a port from 1 to 65535 is needed"))
	}
	if p.CredentialRef == nil {
		errs = append(errs, field.Required(path.Child("credentialRef"), "the Secret with the credentials is needed"))
	} else {
		ref := path.Child("credentialRef")
		errs = append(errs, kind(p.CredentialRef.Kind, ref.Child("kind"), "Secret")...)
		errs = append(errs, reference(p.CredentialRef.Name, p.CredentialRef.Namespace, ref)...)
	}
	if p.AdditionalTrustBundle != nil {
		errs = append(errs, p.AdditionalTrustBundle.validate(path.Child("additionalTrustBundle"))...)
	}
	return errs
}

// IsData reports whether the certificates are in the configuration itself.
func (b *TrustBundle) IsData() bool { return strings.EqualFold(b.Kind, "String") }

func (b *TrustBundle) validate(path *field.Path) field.ErrorList {
	if !b.IsData() {
		return append(kind(b.Kind, path.Child("kind"), "ConfigMap", "String"), reference(b.Name, b.Namespace, path)...)
	}
	if err := CheckBundle([]byte(b.Data)); err != nil {
		return field.ErrorList{field.Invalid(path.Child("data"), field.OmitValueType{}, err.Error())}
	}
	return nil
}

// CheckBundle says what is wrong with PEM certificates; nil when there is at least one, and nothing else.
func CheckBundle(bundle []byte) error {
	count := 0
	for rest := bundle; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("PEM block %d is a %s: only CERTIFICATE may be there", count+1, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("parsing certificate %d: %w", count+1, err)
		}
	}
	if count == 0 {
		return errors.New("there is no PEM certificate")
	}
	return nil
}

func (t *TopologyDiscovery) validate(path *field.Path) field.ErrorList {
	errs := oneOf(t.Type, path.Child("type"), TopologyPrism, TopologyByCategory)
	if t.Type != TopologyByCategory {
		return errs
	}
	below := path.Child("topologyCategories")
	if t.TopologyCategories == nil {
		return append(errs, field.Required(below, "type Categories needs the category keys of region and zone"))
	}
	if t.TopologyCategories.RegionCategory == "" {
		errs = append(errs, field.Required(below.Child("regionCategory"), "type Categories needs the category key of the region"))
	}
	if t.TopologyCategories.ZoneCategory == "" {
		errs = append(errs, field.Required(below.Child("zoneCategory"), "type Categories needs the category key of the zone"))
	}
	return errs
}

func (c *Client) validate(path *field.Path) field.ErrorList {
	errs := atLeast(time.Second, c.Timeout, path.Child("timeout"))
	errs = append(errs, atLeast(time.Second, c.TaskTimeout, path.Child("taskTimeout"))...)
	errs = append(errs, atLeast(100*time.Millisecond, c.CacheTTL, path.Child("cacheTTL"))...)
	if !(c.RequestsPerSecond > 0) {
		errs = append(errs, field.Invalid(path.Child("requestsPerSecond"), c.RequestsPerSecond, "a number above 0 is needed"))
	}
	if c.Burst < 1 {
		errs = append(errs, field.Invalid(path.Child("burst"), c.Burst, "at least 1 is needed"))
	}
	return errs
}

// host checks a host name or an IP address without anything around it.
func host(text string, path *field.Path) field.ErrorList {
	if _, err := netip.ParseAddr(text); err == nil {
		return nil
	}
	if len(validation.IsDNS1123Subdomain(strings.ToLower(strings.TrimSuffix(text, ".")))) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, text, "a host name or an IP address without scheme, port and path is needed")}
}

// kind compares as the vendor's manifests do, which write "secret" and "Secret".
func kind(text string, path *field.Path, kinds ...string) field.ErrorList {
	for _, k := range append(kinds, "") {
		if strings.EqualFold(text, k) {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, text, kinds)}
}

func reference(name, namespace string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if name == "" {
		errs = append(errs, field.Required(path.Child("name"), "the name of the object is needed"))
	}
	errs = append(errs, objectName(name, path.Child("name"))...)
	return append(errs, objectName(namespace, path.Child("namespace"))...)
}

// objectName checks the name of a Kubernetes object, if there is one.
func objectName(name string, path *field.Path) field.ErrorList {
	if name == "" || len(validation.IsDNS1123Subdomain(name)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, name, "lower case letters, digits, \"-\" and \".\" are needed, a letter or digit first and last")}
}

func oneOf[T ~string](value T, path *field.Path, supported ...T) field.ErrorList {
	for _, s := range supported {
		if value == s {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, value, supported)}
}

// atLeast has a bound because a time that is too short means requests without a pause, or none that is ever answered.
func atLeast(least time.Duration, value metav1.Duration, path *field.Path) field.ErrorList {
	if value.Duration >= least {
		return nil
	}
	return field.ErrorList{field.Invalid(path, value.Duration.String(), fmt.Sprintf("at least %s is needed", least))}
}
