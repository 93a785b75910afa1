package v1beta1

// DefaultPrismPort is the default port of Prism Central.
const DefaultPrismPort int32 = 9440

// NutanixPrismEndpoint is the address of Prism Central, how its certificate is verified, and the credentials for it.
type NutanixPrismEndpoint struct {
	// address is the host name or IP address of Prism Central, without scheme and port.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Address string `json:"address"`

	// port of Prism Central. Default: 9440.
	// +optional
	// +kubebuilder:default=9440
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// insecure disables the verification of Prism Central's certificate.
	// +optional
	// +kubebuilder:default=false
	Insecure bool `json:"insecure,omitempty"`

	// additionalTrustBundle is a PEM trust bundle that is trusted in addition to the system's roots.
	// +optional
	AdditionalTrustBundle *NutanixTrustBundleReference `json:"additionalTrustBundle,omitempty"`

	// credentialRef names the Secret with the credentials for Prism Central. Its key "credentials" has a JSON array, of which
	// the first entry is used (type basic_auth or api_key).
	// +optional
	CredentialRef *NutanixCredentialReference `json:"credentialRef,omitempty"`
}

// NutanixTrustBundleKind is the location of a trust bundle.
// +kubebuilder:validation:Enum=String;ConfigMap
type NutanixTrustBundleKind string

const (
	// NutanixTrustBundleKindString is a trust bundle inside the NutanixCluster.
	NutanixTrustBundleKindString NutanixTrustBundleKind = "String"

	// NutanixTrustBundleKindConfigMap is a trust bundle in the key "ca.crt" of a ConfigMap.
	NutanixTrustBundleKindConfigMap NutanixTrustBundleKind = "ConfigMap"

	// NutanixTrustBundleKey is the key of the ConfigMap (data or binaryData) that contains the trust bundle.
	NutanixTrustBundleKey = "ca.crt"
)

// NutanixTrustBundleReference names a PEM trust bundle.
type NutanixTrustBundleReference struct {
	// kind is the location of the bundle: in this object (String) or in a ConfigMap.
	// +required
	Kind NutanixTrustBundleKind `json:"kind"`

	// data is the bundle in PEM, for kind String.
	// +optional
	Data string `json:"data,omitempty"`

	// name of the ConfigMap, for kind ConfigMap. Its key is "ca.crt".
	// +optional
	Name string `json:"name,omitempty"`

	// namespace of the ConfigMap. Default: the namespace of the NutanixCluster.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// NutanixCredentialKind is the kind of object that contains credentials.
// +kubebuilder:validation:Enum=Secret
type NutanixCredentialKind string

const (
	// NutanixCredentialKindSecret is a Secret, the only kind of object that can contain credentials.
	NutanixCredentialKindSecret NutanixCredentialKind = "Secret"

	// NutanixCredentialKey is the key of the Secret that contains the credentials.
	NutanixCredentialKey = "credentials"
)

// NutanixCredentialReference names the Secret that contains credentials.
type NutanixCredentialReference struct {
	// kind of the object with the credentials: Secret.
	// +required
	Kind NutanixCredentialKind `json:"kind"`

	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`

	// namespace of the Secret. Default: the namespace of the NutanixCluster.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}
