package renderer

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/capnt/capnt/tfmodules"
)

const (
	// ProviderSource is the address of the provider. The address contains the host, so that Terraform and OpenTofu use the same directory of
	// a mirror.
	ProviderSource = "registry.terraform.io/nutanix/nutanix"

	// requiredVersion is the version constraint for Terraform. Older versions cannot run the tests of the modules. All versions of OpenTofu
	// satisfy the constraint.
	requiredVersion = ">= 1.7.0"
)

// blockArguments lists the nested arguments of each backend that must be written as blocks. All other nested arguments are written as
// objects.
var blockArguments = map[string][]string{
	"remote":     {"workspaces"},
	"kubernetes": {"exec"},
}

// rootFiles returns the files that every root module contains: versions.tf, backend.tf, provider.tf and the copy of the module for role.
func rootFiles(settings Settings, role string) (map[string][]byte, error) {
	module, err := tfmodules.Files(string(settings.API.orDefault()), role)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		versionsFileName: versionsFile(settings.ProviderVersion),
		backendFileName:  backendFile(settings.Backend),
		"provider.tf":    providerFile(),
	}
	for name, content := range module {
		files[path.Join(moduleDir, role, name)] = content
	}
	return files, nil
}

// moduleSource returns the source argument of a call of the module for role.
func moduleSource(role string) string { return "./" + path.Join(moduleDir, role) }

func versionsFile(providerVersion string) []byte {
	file := hclwrite.NewEmptyFile()
	terraform := newBody(file.Body()).block("terraform")
	terraform.text("required_version", requiredVersion)
	terraform.AppendNewline()
	terraform.block("required_providers").SetAttributeValue("nutanix", cty.ObjectVal(map[string]cty.Value{
		"source":  cty.StringVal(ProviderSource),
		"version": cty.StringVal("= " + providerVersion),
	}))
	return formatted(file)
}

// providerFile returns a provider block without arguments. During a run, the provider reads its endpoint and credentials from environment
// variables.
func providerFile() []byte {
	file := hclwrite.NewEmptyFile()
	newBody(file.Body()).block("provider", "nutanix")
	return formatted(file)
}

func backendFile(backend Backend) []byte {
	file := hclwrite.NewEmptyFile()
	block := newBody(file.Body()).block("terraform").block("backend", backend.Type)

	nested := map[string]map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(backend.Config)) {
		outer, inner, dotted := strings.Cut(key, ".")
		if !dotted {
			block.text(key, backend.Config[key])
			continue
		}
		if nested[outer] == nil {
			nested[outer] = map[string]string{}
		}
		nested[outer][inner] = backend.Config[key]
	}
	for _, outer := range slices.Sorted(maps.Keys(nested)) {
		if slices.Contains(blockArguments[backend.Type], outer) {
			inner := block.block(outer)
			for _, key := range slices.Sorted(maps.Keys(nested[outer])) {
				inner.text(key, nested[outer][key])
			}
			continue
		}
		block.expression(outer, mapTokens(nested[outer]), "")
	}
	return formatted(file)
}

// outputsFile returns outputs whose values are the outputs of the module with the same names.
func outputsFile(role string, names ...string) []byte {
	file := hclwrite.NewEmptyFile()
	root := newBody(file.Body())
	for i, name := range names {
		if i > 0 {
			root.AppendNewline()
		}
		root.block("output", name).reference("value", "module."+role+"."+name)
	}
	return formatted(file)
}
