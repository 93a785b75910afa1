package v1beta1

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validate checks the endpoint. namespace is the namespace of the NutanixCluster. For a template, namespace is empty,
// because the cluster may be in another namespace than the template. If template is true, the credentials may be
// missing, because a ClusterClass patch may set them.
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
			"set the Secret that contains the credentials for Prism Central: kind Secret and its name"))
	}
	return errs
}

// validateHost checks that host is an IP address or a host name, without a scheme, port or path.
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
		errs = append(errs, field.Required(path.Child("name"), "set the name of the Secret that contains the credentials"))
	}
	// A user who may write clusters in one namespace must not be able to use the Secrets of another namespace.
	if namespace != "" && r.Namespace != "" && r.Namespace != namespace {
		errs = append(errs, field.Invalid(path.Child("namespace"), r.Namespace,
			"the Secret must be in the namespace of the NutanixCluster: copy it there and leave this empty"))
	}
	return errs
}

// TrustBundleElsewhere returns namespace/name of a trust bundle ConfigMap in another namespace than that of the cluster, or an
// empty string. Existing manifests may name one. The controller reads it but adds no finalizer, because the right to write
// clusters in one namespace must not allow a user to block deletions in another one.
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
			return field.ErrorList{field.Required(path.Child("name"), "set the name of the ConfigMap that contains the bundle in its key ca.crt")}
		}
	case NutanixTrustBundleKindString:
		if r.Data == "" {
			return field.ErrorList{field.Required(path.Child("data"), "set the bundle, in PEM")}
		}
		if !HasCertificate([]byte(r.Data)) {
			return field.ErrorList{field.Invalid(path.Child("data"), field.OmitValueType{}, "contains no certificate in PEM")}
		}
	default:
		return field.ErrorList{field.NotSupported(path.Child("kind"), r.Kind,
			[]NutanixTrustBundleKind{NutanixTrustBundleKindString, NutanixTrustBundleKindConfigMap})}
	}
	return nil
}

// HasCertificate reports whether a trust bundle in PEM contains a certificate that can be parsed.
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
