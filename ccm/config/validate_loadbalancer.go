package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (l *LoadBalancer) validate(path *field.Path) field.ErrorList {
	errs := oneOf(l.Type, path.Child("type"), LoadBalancerNone, LoadBalancerNLB, LoadBalancerIPAM)
	errs = append(errs, l.section(l.Type, path.Child("type"), path)...)
	for _, class := range slices.Sorted(maps.Keys(l.Classes)) {
		at := path.Child("classes").Key(class)
		if len(validation.IsQualifiedName(class)) > 0 {
			errs = append(errs, field.Invalid(at, class, `a class is a name such as "nutanix.com/nlb"`))
		}
		errs = append(errs, oneOf(l.Classes[class], at, LoadBalancerNLB, LoadBalancerIPAM)...)
		errs = append(errs, l.section(l.Classes[class], at, path)...)
	}
	if l.NLB != nil {
		errs = append(errs, l.NLB.validate(path.Child("nlb"))...)
	}
	if l.IPAM != nil {
		at := path.Child("ipam")
		errs = append(errs, l.IPAM.Subnet.validate(at.Child("subnet"))...)
		for i := range l.IPAM.AdditionalSubnets {
			errs = append(errs, l.IPAM.AdditionalSubnets[i].validate(at.Child("additionalSubnets").Index(i))...)
		}
		errs = append(errs, oneOf(l.IPAM.Announcer, at.Child("announcer"), KubeVIP, MetalLB, Cilium)...)
	}
	errs = append(errs, atLeast(time.Second, l.RepairPeriod, path.Child("repairPeriod"))...)
	return append(errs, oneOf(l.Orphans, path.Child("orphans"), OrphansReport, OrphansDelete)...)
}

// section insists on the section that a type needs.
func (l *LoadBalancer) section(t LoadBalancerType, at, path *field.Path) field.ErrorList {
	if t == LoadBalancerNLB && l.NLB == nil || t == LoadBalancerIPAM && l.IPAM == nil {
		return field.ErrorList{field.Invalid(at, t, "the section "+path.Child(string(t)).String()+" is missing")}
	}
	return nil
}

func (n *NLB) validate(path *field.Path) field.ErrorList {
	errs := n.VPC.validate(path.Child("vpc"))
	errs = append(errs, n.Subnet.validate(path.Child("subnet"))...)
	if n.NodeSubnet != nil {
		errs = append(errs, n.NodeSubnet.validate(path.Child("nodeSubnet"))...)
	}
	if n.ExternalSubnet != nil {
		errs = append(errs, n.ExternalSubnet.validate(path.Child("externalSubnet"))...)
	} else if n.FloatingIP {
		errs = append(errs, field.Required(path.Child("externalSubnet"), "floating IPs need the NAT subnet that they come from"))
	}
	errs = append(errs, n.HealthCheck.validate(path.Child("healthCheck"))...)
	return append(errs, oneOf(n.IPMode, path.Child("ipMode"), "VIP", "Proxy")...)
}

func (h *HealthCheck) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, count := range []struct {
		name  string
		value int
	}{
		{"intervalSeconds", h.IntervalSeconds}, {"timeoutSeconds", h.TimeoutSeconds},
		{"successThreshold", h.SuccessThreshold}, {"failureThreshold", h.FailureThreshold},
	} {
		if count.value < 1 || count.value > 3600 {
			errs = append(errs, field.Invalid(path.Child(count.name), count.value, "a number from 1 to 3600 is needed"))
		}
	}
	if len(errs) == 0 && h.TimeoutSeconds > h.IntervalSeconds {
		errs = append(errs, field.Invalid(path.Child("timeoutSeconds"), h.TimeoutSeconds, "a check must time out before the next one: no more than intervalSeconds"))
	}
	return errs
}

func (r *Routes) validate(path *field.Path) field.ErrorList {
	if !r.Enabled && r.VPC == (Identifier{}) {
		return nil
	}
	return r.VPC.validate(path.Child("vpc"))
}

// validate insists on the one field that the type names, as the API of Cluster API does.
func (i *Identifier) validate(path *field.Path) field.ErrorList {
	if *i == (Identifier{}) {
		return field.ErrorList{field.Required(path, `{"type": "name", "name": ...} or {"type": "uuid", "uuid": ...} is needed`)}
	}
	errs := oneOf(i.Type, path.Child("type"), "name", "uuid")
	if i.Name != "" && i.UUID != "" {
		errs = append(errs, field.Invalid(path, i.Type, "only one of name and uuid may be given"))
	}
	switch {
	case i.Type == "name" && i.Name == "":
		errs = append(errs, field.Required(path.Child("name"), "type name needs it"))
	case i.Type == "uuid" && i.UUID == "":
		errs = append(errs, field.Required(path.Child("uuid"), "type uuid needs it"))
	case i.Type == "uuid" && !isUUID(i.UUID):
		errs = append(errs, field.Invalid(path.Child("uuid"), i.UUID, "a UUID such as 0a1b2c3d-4e5f-6789-abcd-ef0123456789 is needed"))
	}
	return errs
}

func isUUID(text string) bool {
	parts := strings.Split(text, "-")
	if len(parts) != 5 {
		return false
	}
	for i, length := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != length || strings.Trim(parts[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}
