package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// eventName is the event name of the log records that contain audit records.
	eventName = "capnt.audit"
	// exportTimeout limits one request to the OTLP endpoint.
	exportTimeout = 10 * time.Second
)

// otlp is a sink that sends records to an OTLP endpoint. The body of a log record is the line of the audit record without the newline, so
// the bodies can be verified like a file.
type otlp struct {
	exporter sdklog.Exporter
	provider *sdklog.LoggerProvider
	batch    []sdklog.Record // the records of a write that waits for the endpoint
}

// newOTLP returns a sink for endpoint, for example "https://collector:4318". Headers, certificates and more are configured by the standard
// environment variables OTEL_EXPORTER_OTLP_*. If copies is true, write does not wait for the endpoint, and records are lost if the endpoint
// does not respond for a long time.
func newOTLP(endpoint string, copies bool, failed func(error)) (*otlp, error) {
	address, err := url.Parse(endpoint)
	if err == nil && (address.Scheme != "http" && address.Scheme != "https" || address.Host == "") {
		err = fmt.Errorf("%q is not an http or https URL", endpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("configuring the OTLP endpoint of the audit log: %w", err)
	}
	address.Path = cmp.Or(address.Path, "/v1/logs")
	exporter, err := otlploghttp.New(context.Background(), otlploghttp.WithEndpointURL(address.String()), otlploghttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("configuring the OTLP endpoint of the audit log: %w", err)
	}
	o := &otlp{exporter: exporter}
	var processor sdklog.Processor = &collector{o}
	if copies {
		processor = sdklog.NewBatchProcessor(&reporter{exporter, failed})
	}
	o.provider = sdklog.NewLoggerProvider(sdklog.WithProcessor(processor),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "capnt-manager"))))
	return o, nil
}

func (o *otlp) write(ctx context.Context, records []*Record, lines []byte) error {
	o.batch = nil
	logger := o.provider.Logger(eventName)
	for _, r := range records {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		event := otellog.Record{}
		event.SetEventName(eventName)
		event.SetTimestamp(r.Time)
		event.SetSeverity(otellog.SeverityInfo)
		event.SetBody(otellog.StringValue(string(line)))
		event.AddAttributes(otellog.String("kind", string(r.Kind)), otellog.String("plan", r.Plan), otellog.Int64("seq", r.Seq))
		logger.Emit(ctx, event)
	}
	if len(o.batch) == 0 { // the processor sends them later
		return nil
	}
	if err := o.exporter.Export(ctx, o.batch); err != nil {
		return fmt.Errorf("sending audit records to the OTLP endpoint: %w", err)
	}
	return nil
}

// collector is a processor that collects the records of one write.
type collector struct{ otlp *otlp }

func (c *collector) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (c *collector) OnEmit(_ context.Context, record *sdklog.Record) error {
	c.otlp.batch = append(c.otlp.batch, record.Clone())
	return nil
}

func (c *collector) Shutdown(context.Context) error   { return nil }
func (c *collector) ForceFlush(context.Context) error { return nil }

// reporter is an exporter that reports errors instead of returning them.
type reporter struct {
	sdklog.Exporter
	failed func(error)
}

func (r *reporter) Export(ctx context.Context, records []sdklog.Record) error {
	if err := r.Exporter.Export(ctx, records); err != nil {
		log.Log.Error(err, "Failed to send audit records to the OTLP endpoint, it lacks them now", "records", len(records))
		r.failed(err)
	}
	return nil
}

// tee is a sink that stores lines in one sink and then sends them to the OTLP endpoint without waiting.
type tee struct {
	sink
	copies *otlp
}

func (t *tee) write(ctx context.Context, records []*Record, lines []byte) error {
	if err := t.sink.write(ctx, records, lines); err != nil {
		return err
	}
	return t.copies.write(ctx, records, lines)
}
