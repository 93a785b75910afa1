package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

func newProvider() *schema.Provider {
	return &schema.Provider{
		Schema: schemas["provider"].schema(),
		ResourcesMap: map[string]*schema.Resource{
			"nutanix_category_v2":                newCategory(),
			"nutanix_virtual_machine_v2":         newVM(),
			"nutanix_vm_anti_affinity_policy_v2": newPolicy(),
		},
		ConfigureContextFunc: configure,
	}
}

// importer imports an object by its UUID.
var importer = &schema.ResourceImporter{StateContext: schema.ImportStatePassthroughContext}

func configure(_ context.Context, d *schema.ResourceData) (any, diag.Diagnostics) {
	username, password, key := d.Get("username").(string), d.Get("password").(string), d.Get("api_key").(string)
	endpoint := d.Get("endpoint").(string)
	basic := username != "" && password != ""
	switch {
	case (username != "") != (password != ""):
		return nil, failure("Invalid authentication configuration", "Both username and password must be provided together.")
	case endpoint != "" && !basic && key == "":
		return nil, failure("Authentication required",
			"Either username and password or api_key must be provided for Prism Central authentication.")
	case !isLoopback(endpoint):
		return nil, failure("This is a stand-in of the provider for tests",
			fmt.Sprintf("It talks only to loopback addresses, not to %s: use the real provider.", endpoint))
	}
	var warnings diag.Diagnostics
	if basic && key != "" {
		warnings = append(warnings, diag.Diagnostic{Severity: diag.Warning, Summary: "Both username/password and api_key are set. " +
			"api_key takes precedence; username and password will be ignored."})
	}
	if disabled := disabledServices(d); len(disabled) > 0 {
		warnings = append(warnings, diag.Diagnostic{Severity: diag.Warning, Summary: "Disabled Providers: " + strings.Join(disabled, ", ") +
			". Please provide required fields in provider configuration to enable them. Refer docs."})
	}
	port, err := strconv.Atoi(d.Get("port").(string))
	if err != nil {
		port = defaultPort
	}
	return newClient(access{host: endpoint, port: port, username: username, password: password, key: key, headers: customHeaders(d)}), warnings
}

const defaultPort = 9440

func failure(summary, detail string) diag.Diagnostics {
	return diag.Diagnostics{{Severity: diag.Error, Summary: summary, Detail: detail}}
}

// isLoopback reports whether a host is on this machine. Without an endpoint the SDKs use localhost.
func isLoopback(host string) bool {
	return host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// disabledServices returns the services of the provider that are not configured. Terraform prints a warning that names them.
func disabledServices(d *schema.ResourceData) []string {
	var disabled []string
	for _, service := range []struct {
		name   string
		fields []string
	}{
		{"prism_central", []string{"endpoint"}}, {"karbon", []string{"endpoint"}}, {"foundation", []string{"foundation_endpoint"}},
		{"foundation_central", []string{"endpoint"}}, {"ndb", []string{"ndb_endpoint", "ndb_username", "ndb_password"}},
	} {
		for _, field := range service.fields {
			if _, set := d.GetOk(field); !set {
				disabled = append(disabled, service.name)
				break
			}
		}
	}
	return disabled
}

// customHeaders returns the headers of NUTANIX_HEADER_... variables and of the configuration, which wins.
func customHeaders(d *schema.ResourceData) map[string]string {
	headers := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if header, is := strings.CutPrefix(name, "NUTANIX_HEADER_"); is {
			headers[http.CanonicalHeaderKey(strings.ReplaceAll(header, "_", "-"))] = value
		}
	}
	for name, value := range d.Get("custom_headers").(map[string]any) {
		delete(headers, http.CanonicalHeaderKey(name))
		headers[name] = value.(string)
	}
	return headers
}
