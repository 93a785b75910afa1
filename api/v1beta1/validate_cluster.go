package v1beta1

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate checks the cluster without a request to Prism Central.
func (c *NutanixCluster) Validate() field.ErrorList {
	path := field.NewPath("spec")
	errs := c.Spec.validateEndpoint(path.Child("controlPlaneEndpoint"))
	if c.Spec.PrismCentral == nil {
		errs = append(errs, field.Required(path.Child("prismCentral"), "set the address of Prism Central and the credentialRef"))
	}
	return append(errs, c.Spec.validate(path, c.Namespace, false)...)
}

// Validate checks the template. The control plane endpoint, Prism Central and the credentials may be missing, because a
// ClusterClass patch may set them.
func (t *NutanixClusterTemplate) Validate() field.ErrorList {
	path := field.NewPath("spec", "template")
	errs := t.Spec.Template.ObjectMeta.Validate(path.Child("metadata"))
	return append(errs, t.Spec.Template.Spec.validate(path.Child("spec"), "", true)...)
}

func (s *NutanixClusterSpec) validate(path *field.Path, namespace string, template bool) field.ErrorList {
	var errs field.ErrorList
	if s.PrismCentral != nil {
		errs = append(errs, s.PrismCentral.validate(path.Child("prismCentral"), namespace, template)...)
	}
	if len(s.FailureDomains) > 0 && len(s.ControlPlaneFailureDomains) > 0 {
		errs = append(errs, field.Forbidden(path.Child("controlPlaneFailureDomains"),
			"failureDomains is set too: set either failureDomains or controlPlaneFailureDomains, not both"))
	}
	errs = append(errs, s.validateFailureDomains(path.Child("failureDomains"))...)
	errs = append(errs, s.validateFailureDomainReferences(path.Child("controlPlaneFailureDomains"))...)
	if s.ControlPlaneAntiAffinity == AntiAffinityPreferred && s.Terraform != nil && s.Terraform.API == PrismAPIV3 {
		errs = append(errs, field.Forbidden(path.Child("controlPlaneAntiAffinity"),
			"needs the v4 API of Prism Central, and terraform.api is v3: leave one of them out"))
	}
	if s.Terraform != nil {
		errs = append(errs, s.Terraform.Validate(path.Child("terraform"))...)
	}
	return errs
}

// validateEndpoint checks the control plane endpoint. The endpoint may be unset.
func (s *NutanixClusterSpec) validateEndpoint(path *field.Path) field.ErrorList {
	endpoint := s.ControlPlaneEndpoint
	switch {
	case endpoint.Host == "":
		// An endpoint without a host counts as unset, even if it has a port, because a hosted control plane sets the
		// endpoint later.
		return nil
	case endpoint.Port == 0:
		return field.ErrorList{field.Required(path.Child("port"), "host is set: set port too, for example 6443, or neither")}
	default:
		return validateHost(path.Child("host"), endpoint.Host)
	}
}

func (s *NutanixClusterSpec) validateFailureDomains(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, domain := range s.FailureDomains {
		item := path.Index(i)
		if msgs := validation.IsDNS1123Label(domain.Name); len(msgs) > 0 && len(domain.Name) <= 63 {
			errs = append(errs, field.Invalid(item.Child("name"), domain.Name, strings.Join(msgs, "; ")))
		}
		if seen[domain.Name] {
			errs = append(errs, field.Duplicate(item.Child("name"), domain.Name))
		}
		seen[domain.Name] = true
		errs = append(errs, domain.Cluster.Validate(item.Child("cluster"))...)
		errs = append(errs, validateRequiredSubnets(item.Child("subnets"), domain.Subnets)...)
	}
	return errs
}

func validateRequiredSubnets(path *field.Path, subnets []NutanixResourceIdentifier) field.ErrorList {
	if len(subnets) == 0 {
		return field.ErrorList{field.Required(path, "name at least one subnet")}
	}
	return validateSubnets(path, subnets)
}

func (s *NutanixClusterSpec) validateFailureDomainReferences(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, reference := range s.ControlPlaneFailureDomains {
		item := path.Index(i).Child("name")
		switch {
		case reference.Name == "":
			errs = append(errs, field.Required(item, "set the name of a NutanixFailureDomain"))
		case strings.Contains(reference.Name, "/"):
			errs = append(errs, field.Invalid(item, reference.Name,
				fmt.Sprintf("%s is not supported: name NutanixFailureDomain objects", strings.Split(reference.Name, "/")[0])))
		case len(validation.IsDNS1123Subdomain(reference.Name)) > 0:
			errs = append(errs, field.Invalid(item, reference.Name, "is not a valid name of a NutanixFailureDomain"))
		case seen[reference.Name]:
			errs = append(errs, field.Duplicate(item, reference.Name))
		}
		seen[reference.Name] = true
	}
	return errs
}

// Validate checks the failure domain.
func (d *NutanixFailureDomain) Validate() field.ErrorList {
	path := field.NewPath("spec")
	errs := d.Spec.PrismElementCluster.Validate(path.Child("prismElementCluster"))
	return append(errs, validateRequiredSubnets(path.Child("subnets"), d.Spec.Subnets)...)
}
