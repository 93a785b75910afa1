package v1beta1

import (
	"net"
	"strconv"
)

// APIEndpoint is the address of an API server.
//
// It has the fields of Cluster API's APIEndpoint without the minimums, because typed clients write {}, or an empty host and
// port 0, for an endpoint that is not known yet.
type APIEndpoint struct {
	// host is the host name or IP address of the API server.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Host string `json:"host,omitempty"`

	// port is the port of the API server.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// IsZero reports whether neither host nor port is set.
func (e APIEndpoint) IsZero() bool { return e == APIEndpoint{} }

// IsSet reports whether both host and port are set.
func (e APIEndpoint) IsSet() bool { return e.Host != "" && e.Port != 0 }

// String returns host:port, with an IPv6 host in brackets.
func (e APIEndpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }
