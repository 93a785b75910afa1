package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"
)

// Output formats. The empty format is for people.
const (
	outputJSON      = "json"
	outputYAML      = "yaml"
	outputName      = "name"
	outputWide      = "wide"
	outputTerraform = "tfjson"
)

// addOutput adds the flag --output with a check of its value.
func addOutput(command *cobra.Command, output *string, formats ...string) {
	command.Flags().StringVarP(output, "output", "o", "", "Output format: "+strings.Join(formats, "|"))
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	command.PreRunE = func(*cobra.Command, []string) error {
		if *output != "" && !slices.Contains(formats, *output) {
			return fmt.Errorf("invalid output format %q: set -o to one of %s", *output, strings.Join(formats, ", "))
		}
		return nil
	}
}

// encode writes a value as JSON or YAML.
func encode(out io.Writer, format string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err == nil && format == outputYAML {
		content, err = yaml.JSONToYAML(content)
	}
	if err != nil {
		return fmt.Errorf("encoding the output: %w", err)
	}
	_, err = fmt.Fprintln(out, strings.TrimSuffix(string(content), "\n"))
	return err
}

// encodeObject writes an object of the API with its kind and without its managed fields.
func encodeObject(out io.Writer, format string, object client.Object, scheme *runtime.Scheme) error {
	if err := complete(object, scheme); err != nil {
		return err
	}
	return encode(out, format, object)
}

// complete sets the kind of an object, which typed clients leave out, and removes its managed fields.
func complete(object client.Object, scheme *runtime.Scheme) error {
	kind, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	object.SetManagedFields(nil)
	return nil
}
