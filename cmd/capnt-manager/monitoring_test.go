package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/capnt/capnt/internal/audit"
	"github.com/capnt/capnt/internal/gateway"
	"github.com/capnt/capnt/internal/plan"
	"github.com/capnt/capnt/internal/schedule"
)

const monitoring = "../../config/monitoring"

// described is a prometheus.Registerer. It maps the names of registered metrics to their labels. A histogram has the three names of its
// series. By convention, the name of a histogram ends in _duration_seconds, and no other name does.
type described map[string][]string

var description = regexp.MustCompile(`fqName: "([^"]+)".* variableLabels: \{([^}]*)\}`)

func (d described) Register(collector prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		collector.Describe(descs)
	}()
	for desc := range descs {
		match := description.FindStringSubmatch(desc.String())
		name, labels := match[1], strings.Split(match[2], ",")
		if !strings.HasSuffix(name, "_duration_seconds") && name != "capnt_gateway_run_requests" { // these are histograms
			d[name] = labels
			continue
		}
		d[name+"_bucket"], d[name+"_sum"], d[name+"_count"] = append(labels, "le"), labels, labels
	}
	return nil
}

func (d described) MustRegister(collectors ...prometheus.Collector) {
	for _, collector := range collectors {
		_ = d.Register(collector)
	}
}

func (d described) Unregister(prometheus.Collector) bool { return false }

// exported returns the metrics of all parts of the manager.
func exported(t *testing.T) described {
	t.Helper()
	metrics := described{}
	proxy, err := gateway.New(gateway.Options{Address: "127.0.0.1:0", Log: logr.Discard(), Registerer: metrics})
	require.NoError(t, err)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, proxy.Start(stopped))
	trail, err := audit.New(audit.Options{})
	require.NoError(t, err)
	metrics.MustRegister(plan.NewMetrics(nil, nil), schedule.New(schedule.Options{Slots: 1}), trail)
	metrics.MustRegister(mirror(t, map[string]string{"1.9.5": "1.9.5"}).Collectors()...)
	require.Contains(t, metrics, "capnt_plan_apply_duration_seconds_count")
	require.Equal(t, []string{"lane", "state"}, metrics["capnt_runs"])
	require.Equal(t, []string{"reason"}, metrics["capnt_gateway_refusals_total"])
	return metrics
}

// query is an expression together with the templates that show its labels.
type query struct{ expression, shown string }

func rules(t *testing.T) map[string]query {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(monitoring, "prometheus_rule.yaml"))
	require.NoError(t, err)
	var rule struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert       string            `json:"alert"`
					Expr        string            `json:"expr"`
					For         string            `json:"for"`
					Labels      map[string]string `json:"labels"`
					Annotations map[string]string `json:"annotations"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(content, &rule))
	queries := map[string]query{}
	for _, group := range rule.Spec.Groups {
		for _, alert := range group.Rules {
			assert.NotEmpty(t, alert.Labels["severity"], alert.Alert)
			assert.NotEmpty(t, alert.Annotations["summary"], alert.Alert)
			queries["alert "+alert.Alert] = query{alert.Expr, alert.Annotations["summary"] + alert.Annotations["description"]}
		}
	}
	require.NotEmpty(t, queries)
	return queries
}

func panels(t *testing.T) map[string]query {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID        string `json:"refId"`
				Expr         string `json:"expr"`
				LegendFormat string `json:"legendFormat"`
			} `json:"targets"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	queries := map[string]query{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries["panel "+panel.Title+" "+target.RefID] = query{target.Expr, target.LegendFormat}
		}
	}
	require.NotEmpty(t, queries)
	return queries
}

var (
	selector = regexp.MustCompile(`(capnt_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	shown    = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}`)
)

// problems returns the metrics and labels in a query that do not exist, and whether its brackets do not match.
func (d described) problems(q query) (problems []string) {
	known := map[string]bool{}
	found := selector.FindAllStringSubmatch(q.expression, -1)
	if len(found) == 0 {
		problems = append(problems, "it has no metric")
	}
	for _, match := range found {
		labels, exists := d[match[1]]
		if !exists {
			problems = append(problems, "metric "+match[1])
		}
		for _, label := range labels {
			known[label] = true
		}
		for _, condition := range matcher.FindAllStringSubmatch(match[2], -1) {
			if !strings.Contains(","+strings.Join(labels, ",")+",", ","+condition[1]+",") {
				problems = append(problems, "label "+condition[1]+" of "+match[1])
			}
		}
	}
	grouped := map[string]bool{}
	for _, match := range grouping.FindAllStringSubmatch(q.expression, -1) {
		for label := range strings.SplitSeq(match[1], ", ") {
			grouped[label] = true
			if !known[label] {
				problems = append(problems, "label "+label)
			}
		}
	}
	for _, match := range shown.FindAllStringSubmatch(q.shown, -1) {
		if !grouped[match[1]] {
			problems = append(problems, "label "+match[1]+" of the result")
		}
	}
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(q.expression, pair[:1]) != strings.Count(q.expression, pair[1:]) {
			problems = append(problems, "brackets "+pair)
		}
	}
	return problems
}

func TestDashboardAndAlertsUseMetricsThatExist(t *testing.T) {
	metrics := exported(t)
	used := ""
	for _, queries := range []map[string]query{rules(t), panels(t)} {
		for name, q := range queries {
			assert.Empty(t, metrics.problems(q), "%s: %s", name, q.expression)
			used += q.expression
		}
	}
	for name := range metrics {
		if !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			assert.Contains(t, used, name, "the dashboard does not show it")
		}
	}
	for expression, problem := range map[string]string{
		`sum(capnt_typo)`:                         "metric capnt_typo",
		`sum(capnt_plan_apply_duration_seconds)`:  "metric capnt_plan_apply_duration_seconds",
		`sum(capnt_runs{status="queued"})`:        "label status of capnt_runs",
		`sum by (verb) (capnt_runs)`:              "label verb",
		`sum by (lane) (capnt_runs{lane="check"}`: "brackets ()",
		`sum(up)`: "it has no metric",
	} {
		assert.Contains(t, metrics.problems(query{expression: expression}), problem, expression)
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	require.NoError(t, err)
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(capnt_[a-z_]+)` \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(row[2]), "`", ""), ", ", ",")
	}
	metrics := map[string]string{}
	for name, labels := range exported(t) {
		if !strings.HasSuffix(name, "_bucket") {
			metrics[strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")] = strings.Join(labels, ",")
		}
	}
	assert.Equal(t, metrics, documented)
}

func TestMonitoringIsAnInstallationOfItsOwn(t *testing.T) {
	var kustomization struct {
		Resources          []string `json:"resources"`
		ConfigMapGenerator []struct {
			Files []string `json:"files"`
		} `json:"configMapGenerator"`
	}
	content, err := os.ReadFile(filepath.Join(monitoring, "kustomization.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(content, &kustomization))
	assert.Equal(t, []string{"prometheus_rule.yaml", "pod_monitor.yaml", "metrics_reader.yaml"}, kustomization.Resources)
	assert.Equal(t, []string{"capnt.json=dashboard.json"}, kustomization.ConfigMapGenerator[0].Files)
	standard, err := os.ReadFile("../../config/default/kustomization.yaml")
	require.NoError(t, err)
	assert.NotContains(t, string(standard), "monitoring")
}
