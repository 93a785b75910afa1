package v1beta1

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validate checks the endpoint. namespace is that of the NutanixCluster; empty for a template, where it is not known and
// where a ClusterClass patch may still supply the credentials.
func (e *NutanixPrismEndpoint) validate(path *field.Path, namespace string, template bool) field.ErrorList {
	errs := validateHost(path.Child("address"), e.Address)
	if e.Port < 0 || e.Port > 65535 {
		errs = append(errs, field.Invalid(path.Child("port"), e.Port, "must be from 1 to 65535"))
	}
	if e.AdditionalTrustBundle != nil {
		errs = append(errs, e.AdditionalTrustBundle.validate(path.Child("additionalTrustBundle"))...)
	}
	switch {
	case e.CredentialRef != nil:
		errs = append(errs, e.CredentialRef.validate(path.Child("credentialRef"), namespace)...)
	case !template:
		errs = append(errs, field.Required(path.Child("credentialRef"),
			"name the Secret that holds the credentials for Prism Central: kind Secret and its name"))
	}
	return errs
}

// validateHost checks that a text is an IP address or a host name and nothing more.
func validateHost(path *field.Path, host string) field.ErrorList {
	switch {
	case host == "":
		return field.ErrorList{field.Required(path, "set a host name or IP address")}
	case strings.Contains(host, "/"):
		return field.ErrorList{field.Invalid(path, host, "write the host name or IP address alone, without scheme and path")}
	case net.ParseIP(host) != nil:
		return nil
	case strings.Contains(host, ":"):
		return field.ErrorList{field.Invalid(path, host, "write the host name or IP address alone, and the port in the field port")}
	case len(validation.IsDNS1123Subdomain(strings.ToLower(host))) > 0:
		return field.ErrorList{field.Invalid(path, host, "must be a host name or IP address")}
	default:
		return nil
	}
}

func (r *NutanixCredentialReference) validate(path *field.Path, namespace string) field.ErrorList {
	var errs field.ErrorList
	if r.Kind != NutanixCredentialKindSecret {
		errs = append(errs, field.NotSupported(path.Child("kind"), r.Kind, []NutanixCredentialKind{NutanixCredentialKindSecret}))
	}
	if r.Name == "" {
		errs = append(errs, field.Required(path.Child("name"), "set the name of the Secret that holds the credentials"))
	}
	// Whoever may write clusters in one namespace must not get at the Secrets of another.
	if namespace != "" && r.Namespace != "" && r.Namespace != namespace {
		errs = append(errs, field.Invalid(path.Child("namespace"), r.Namespace,
			"the Secret has to be in the namespace of the NutanixCluster: copy it there and leave this empty"))
	}
	return errs
}

// TrustBundleElsewhere returns the ConfigMap of a trust bundle in another namespace than the cluster's, which existing
// manifests may have, or empty. Such a one is read and not held: whoever may write clusters in one namespace must not be able
// to keep another from being deleted.
func (c *NutanixCluster) TrustBundleElsewhere() string {
	if c.Spec.PrismCentral == nil {
		return ""
	}
	ref := c.Spec.PrismCentral.AdditionalTrustBundle
	if ref == nil || ref.Kind != NutanixTrustBundleKindConfigMap || ref.Namespace == "" || ref.Namespace == c.Namespace {
		return ""
	}
	return ref.Namespace + "/" + ref.Name
}

func (r *NutanixTrustBundleReference) validate(path *field.Path) field.ErrorList {
	switch r.Kind {
	case NutanixTrustBundleKindConfigMap:
		if r.Name == "" {
			return field.ErrorList{field.Required(path.Child("name"), "set the name of the ConfigMap that holds the bundle in its key ca.crt")}
		}
	case NutanixTrustBundleKindString:
		if r.Data == "" {
			return field.ErrorList{field.Required(path.Child("data"), "set the bundle, in PEM")}
		}
		if !HasCertificate([]byte(r.Data)) {
			return field.ErrorList{field.Invalid(path.Child("data"), field.OmitValueType{}, "holds no certificate in PEM")}
		}
	default:
		return field.ErrorList{field.NotSupported(path.Child("kind"), r.Kind,
			[]NutanixTrustBundleKind{NutanixTrustBundleKindString, NutanixTrustBundleKindConfigMap})}
	}
	return nil
}

// HasCertificate reports whether a trust bundle in PEM holds a certificate that can be parsed.
func HasCertificate(bundle []byte) bool {
	for {
		block, rest := pem.Decode(bundle)
		if block == nil {
			return false
		}
		if block.Type == "CERTIFICATE" {
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				return true
			}
		}
		bundle = rest
	}
}
