package terraform

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// Outputs returns the outputs of the root module from the state. It maps their names to their values as JSON.
func (r *Run) Outputs(ctx context.Context) (map[string]json.RawMessage, error) {
	var outputs map[string]tfexec.OutputMeta
	err := r.command(ctx, "output", func(ctx context.Context) (err error) {
		outputs, err = r.cli.Output(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if outputs == nil {
		return nil, interrupted(ctx, "output")
	}
	values := make(map[string]json.RawMessage, len(outputs))
	for name, output := range outputs {
		values[name] = output.Value
	}
	return values, nil
}
