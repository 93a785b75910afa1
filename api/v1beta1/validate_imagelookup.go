package v1beta1

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// imageLookupFields are the values that the format of an image look-up may contain. They are quoted for regular
// expressions, so that they match literally.
type imageLookupFields struct {
	BaseOS     string
	K8sVersion string
}

// Pattern renders the format for a Kubernetes version ("v1.36.3" or "1.36.3") and returns it as a regular expression for image
// names. As in CAPX the expression is not anchored. Unlike in CAPX the inserted values match literally, so "ubuntu(fips)" matches
// the brackets.
func (l *NutanixImageLookup) Pattern(kubernetesVersion string) (*regexp.Regexp, error) {
	format := l.format()
	tmpl, err := template.New("format").Parse(format)
	if err != nil {
		return nil, fmt.Errorf("parsing format %q as a Go template: %w", format, err)
	}
	if err := checkImageLookupTemplate(tmpl); err != nil {
		return nil, fmt.Errorf("checking format %q: %w", format, err)
	}
	var pattern strings.Builder
	fields := imageLookupFields{
		BaseOS:     regexp.QuoteMeta(l.BaseOS),
		K8sVersion: regexp.QuoteMeta(strings.TrimPrefix(kubernetesVersion, "v")),
	}
	if err := tmpl.Execute(&pattern, fields); err != nil {
		return nil, fmt.Errorf("rendering format %q: %w", format, err)
	}
	expression, err := regexp.Compile(pattern.String())
	if err != nil {
		return nil, fmt.Errorf("parsing %q, rendered from format %q, as a regular expression: %w", pattern.String(), format, err)
	}
	return expression, nil
}

// format returns the format of the look-up. If it is unset or empty, format returns the default.
func (l *NutanixImageLookup) format() string {
	return cmp.Or(ptr.Deref(l.Format, ""), DefaultImageLookupFormat)
}

// checkImageLookupTemplate accepts plain text and the two fields of imageLookupFields. It returns an error for
// everything else, because a template with loops or functions could run forever and block the controller.
func checkImageLookupTemplate(tmpl *template.Template) error {
	if tmpl.Tree == nil || tmpl.Root == nil {
		return nil
	}
	for _, node := range tmpl.Root.Nodes {
		if node.Type() == parse.NodeText || node.Type() == parse.NodeComment || isImageLookupField(node) {
			continue
		}
		return fmt.Errorf("only {{.BaseOS}} and {{.K8sVersion}} may be used, not %s", node)
	}
	return nil
}

func isImageLookupField(node parse.Node) bool {
	action, ok := node.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) > 0 || len(action.Pipe.Cmds) != 1 || len(action.Pipe.Cmds[0].Args) != 1 {
		return false
	}
	chain, ok := action.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	return ok && len(chain.Ident) == 1 && (chain.Ident[0] == "BaseOS" || chain.Ident[0] == "K8sVersion")
}

// Validate checks that the format renders to a regular expression.
func (l *NutanixImageLookup) Validate(path *field.Path) field.ErrorList {
	if l.BaseOS == "" {
		return field.ErrorList{field.Required(path.Child("baseOS"), "set the operating system as it stands in image names")}
	}
	if _, err := l.Pattern("1.0.0"); err != nil {
		return field.ErrorList{field.Invalid(path.Child("format"), l.format(), err.Error())}
	}
	return nil
}
