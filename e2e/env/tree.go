package env

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/cmd/clusterctl/client/tree"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxMessage is the maximum width of the MESSAGE column in characters.
const maxMessage = 100

// PrintTree prints a Cluster and its tree of objects, using the library of clusterctl.
func (e *Environment) PrintTree(ctx context.Context, w io.Writer, key client.ObjectKey) error {
	objects, err := tree.Discovery(ctx, e.Client, key.Namespace, key.Name, tree.DiscoverOptions{Echo: true})
	if err != nil {
		return fmt.Errorf("describing Cluster %s: %w", key, err)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATUS\tREASON\tSINCE\tMESSAGE")
	printObject(table, objects, objects.GetRoot(), "", "")
	if err := table.Flush(); err != nil {
		return fmt.Errorf("describing Cluster %s: %w", key, err)
	}
	return nil
}

func printObject(w io.Writer, objects *tree.ObjectTree, object client.Object, first, rest string) {
	_, _ = fmt.Fprintf(w, "%s%s\t%s\n", first, rowName(object), summary(object))
	children := objects.GetObjectsByParent(object.GetUID())
	slices.SortFunc(children, func(a, b client.Object) int {
		return cmp.Or(tree.GetZOrder(b)-tree.GetZOrder(a), cmp.Compare(rowName(a), rowName(b)))
	})
	for i, child := range children {
		if i == len(children)-1 {
			printObject(w, objects, child, rest+"└─", rest+"  ")
		} else {
			printObject(w, objects, child, rest+"├─", rest+"│ ")
		}
	}
}

func rowName(object client.Object) string {
	if tree.IsVirtualObject(object) {
		return object.GetName()
	}
	name := object.GetObjectKind().GroupVersionKind().Kind + "/" + object.GetName()
	if meta := tree.GetMetaName(object); meta != "" {
		name = meta + " - " + name
	}
	return name
}

// summary returns the condition that summarizes an object: Available if the object has this condition, otherwise Ready.
func summary(object client.Object) string {
	var shown *metav1.Condition
	for _, condition := range tree.GetConditions(object) {
		switch {
		case condition.Type == clusterv1.AvailableCondition, condition.Type == clusterv1.ReadyCondition && shown == nil:
			shown = &condition
		}
	}
	if shown == nil {
		return "\t\t\t"
	}
	message, _, more := strings.Cut(shown.Message, "\n")
	if runes := []rune(message); len(runes) > maxMessage {
		message, more = string(runes[:maxMessage]), true
	}
	if more {
		message += " ..."
	}
	age := duration.HumanDuration(time.Since(shown.LastTransitionTime.Time))
	return fmt.Sprintf("%s: %s\t%s\t%s\t%s", shown.Type, shown.Status, shown.Reason, age, message)
}
