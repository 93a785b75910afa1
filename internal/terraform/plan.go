package terraform

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// PlanOptions configures a plan.
type PlanOptions struct {
	// Destroy makes a plan that destroys all resources in the state.
	Destroy bool
}

// Plan is a saved plan.
type Plan struct {
	// Bytes is the content of the plan file, the argument of Apply. It is not compressed, so that all of it can be compressed together. It
	// contains sensitive variables in plain text, so it must never be logged, and must be stored only where secrets may be stored. It is nil
	// if HasChanges is false.
	Bytes []byte
	// JSON describes the changes of the plan. It contains no sensitive values, see Config.FingerprintKey. It is nil if HasChanges is false.
	JSON *tfjson.Plan
	// HasChanges is true if the plan changes resources or outputs, or if it moves or imports resources. It comes from the detailed exit
	// code.
	HasChanges bool
}

func planOptions(options PlanOptions, provider *tfexec.ReattachOption, variables, out string) []tfexec.PlanOption {
	list := []tfexec.PlanOption{tfexec.Out(out), provider}
	if variables != "" {
		list = append(list, tfexec.VarFile(variables))
	}
	if options.Destroy {
		list = append(list, tfexec.Destroy(true))
	}
	return list
}

// Plan makes a plan of the workspace and returns it. It always refreshes the state, because after a failed update the state contains
// planned values that were not applied.
func (r *Run) Plan(ctx context.Context, options PlanOptions) (*Plan, error) {
	plan := &Plan{}
	path := r.dir.plan()
	// If the file cannot be removed here, Close removes it.
	defer func() { _ = os.Remove(path) }()
	err := r.providerCommand(ctx, "plan", func(ctx context.Context, provider *tfexec.ReattachOption) error {
		return r.withVariables(func(variables string) (err error) {
			plan.HasChanges, err = r.cli.Plan(ctx, planOptions(options, provider, variables, path)...)
			return err
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !plan.HasChanges && ctx.Err() != nil:
		return nil, interrupted(ctx, "plan")
	case !plan.HasChanges:
		return plan, nil
	}
	err = r.providerCommand(ctx, "show", func(ctx context.Context, provider *tfexec.ReattachOption) (err error) {
		plan.JSON, err = r.cli.ShowPlanFile(ctx, path, tfexec.JSONNumber(true), provider)
		return err
	})
	if err != nil {
		return nil, err
	}
	if plan.JSON == nil {
		return nil, interrupted(ctx, "show")
	}
	redactor{r.scrubPlan, r.terraform.config.FingerprintKey}.plan(plan.JSON)
	if plan.Bytes, err = readPlan(path); err != nil {
		return nil, fmt.Errorf("reading the saved plan: %w", err)
	}
	return plan, nil
}

// readPlan returns a saved plan as a ZIP archive whose files are not compressed. OpenTofu can encrypt a plan. Such a plan stays as it is.
func readPlan(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if errors.Is(err, zip.ErrFormat) {
		return content, nil
	}
	if err != nil {
		return nil, err
	}
	var stored bytes.Buffer
	writer := zip.NewWriter(&stored)
	for _, file := range archive.File {
		if err := copyStored(writer, file); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return stored.Bytes(), nil
}

// copyStored adds a file of another archive to an archive without compressing it.
func copyStored(writer *zip.Writer, file *zip.File) error {
	content, err := file.Open()
	if err != nil {
		return err
	}
	to, err := writer.CreateHeader(&zip.FileHeader{Name: file.Name, Method: zip.Store})
	if err == nil {
		_, err = io.Copy(to, content) //nolint:gosec // Terraform has just written the file
	}
	return errors.Join(err, content.Close())
}
