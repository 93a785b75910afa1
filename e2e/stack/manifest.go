package stack

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	kindCluster  = "NutanixCluster"
	kindTemplate = "NutanixClusterTemplate"
)

// Adapt adapts a manifest to the simulation. It sets the address, port and trust bundle of Prism Central, and replaces
// control plane endpoints that are not loopback addresses. It does not change anything else.
func (s *Stack) Adapt(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if path := specOf(object); path != nil {
			if err := s.adapt(object, path); err != nil {
				return fmt.Errorf("adapting %s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return nil
}

// specOf returns the path of the NutanixCluster spec in an object. For objects that contain no such spec, it returns
// nil.
func specOf(object *unstructured.Unstructured) []string {
	switch object.GetKind() {
	case kindCluster:
		return []string{"spec"}
	case kindTemplate:
		return []string{"spec", "template", "spec"}
	}
	return nil
}

// prismAddress returns the address and port of Prism Central.
func (s *Stack) prismAddress() (address struct {
	host string
	port int64
}, err error) {
	host, port, err := net.SplitHostPort(s.Prism.Address())
	if err != nil {
		return address, err
	}
	address.host = host
	address.port, err = strconv.ParseInt(port, 10, 64)
	return address, err
}

func (s *Stack) adapt(object *unstructured.Unstructured, path []string) error {
	at, err := s.prismAddress()
	if err != nil {
		return err
	}
	prism := append(append([]string{}, path...), "prismCentral")
	for field, value := range map[string]any{
		"address": at.host, "port": at.port,
		"additionalTrustBundle": map[string]any{"kind": "String", "data": string(s.Prism.CABundle())},
	} {
		if err := unstructured.SetNestedField(object.Object, value, append(append([]string{}, prism...), field)...); err != nil {
			return err
		}
	}
	endpoint := append(append([]string{}, path...), "controlPlaneEndpoint", "host")
	current, found, err := unstructured.NestedString(object.Object, endpoint...)
	if err != nil || !found || strings.HasPrefix(current, "127.") {
		return err
	}
	return unstructured.SetNestedField(object.Object, s.endpoint(object.GetKind()+"/"+object.GetNamespace()+"/"+object.GetName()), endpoint...)
}

// endpoint returns the control plane endpoint for a key. It always returns the same address for the same key.
func (s *Stack) endpoint(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endpoints[key] == "" {
		s.endpoints[key] = s.options.Network.Endpoint(len(s.endpoints))
	}
	return s.endpoints[key]
}

// CredentialsIn returns the Prism Central credentials in a manifest: those in the first Secret that contains a user
// name.
func CredentialsIn(objects []*unstructured.Unstructured) (Credentials, error) {
	for _, object := range objects {
		text, err := credentialsText(object)
		if err != nil {
			return Credentials{}, err
		}
		if text == "" {
			continue
		}
		var entries []struct {
			Data struct {
				PrismCentral Credentials `json:"prismCentral"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			return Credentials{}, fmt.Errorf("reading credentials of Secret %s: %w", object.GetName(), err)
		}
		if len(entries) > 0 && entries[0].Data.PrismCentral.Username != "" {
			return entries[0].Data.PrismCentral, nil
		}
	}
	return Credentials{}, errors.New("reading the manifest: no Secret in it has credentials with a basic_auth user, in stringData or data, " +
		"so nobody could log in to the simulated Prism Central")
}

// credentialsText returns the credentials in a Secret, from stringData or from base64-encoded data. For other objects,
// it returns an empty string.
func credentialsText(object *unstructured.Unstructured) (string, error) {
	const key = "credentials"
	if object.GetKind() != "Secret" {
		return "", nil
	}
	if text, found, _ := unstructured.NestedString(object.Object, "stringData", key); found {
		return text, nil
	}
	encoded, _, _ := unstructured.NestedString(object.Object, "data", key)
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("reading data.%s of Secret %s, which has to be base64: %w", key, object.GetName(), err)
	}
	return string(text), nil
}
