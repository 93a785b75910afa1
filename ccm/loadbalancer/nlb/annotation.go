package nlb

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/capnt/capnt/ccm/config"
	"github.com/capnt/capnt/ccm/loadbalancer"
	"github.com/capnt/capnt/ccm/nutanix"
)

// readAnnotations reads what annotations and spec.loadBalancerIP say, over the defaults of the configuration.
func (r *request) readAnnotations(service *corev1.Service, cfg config.NLB) error {
	var err error
	if r.address, _, err = loadbalancer.AskedAddress(service); err != nil {
		return err
	}
	r.subnet = reference{Identifier: cfg.Subnet, source: "loadBalancer.nlb.subnet"}
	if text := service.Annotations[loadbalancer.AnnotationSubnet]; text != "" {
		r.subnet = reference{Identifier: config.Identifier{Name: text, UUID: text}, source: "annotation " + loadbalancer.AnnotationSubnet}
		r.isSubnetNamed = true
	}
	if r.floatingIP, err = readFloatingIP(service, cfg); err != nil {
		return err
	}
	if r.selector, err = readSelector(service); err != nil {
		return err
	}
	r.healthCheck, err = readHealthCheck(service, cfg.HealthCheck)
	return err
}

func readFloatingIP(service *corev1.Service, cfg config.NLB) (bool, error) {
	wanted, text := cfg.FloatingIP, service.Annotations[loadbalancer.AnnotationFloatingIP]
	switch text {
	case "":
	case "true", "false":
		wanted = text == "true"
	default:
		return false, invalid("annotation "+loadbalancer.AnnotationFloatingIP, text, `"true" or "false"`)
	}
	if wanted && cfg.ExternalSubnet == nil {
		return false, invalid("annotation "+loadbalancer.AnnotationFloatingIP, "true",
			`"false", because the configuration has no loadBalancer.nlb.externalSubnet that floating IPs could come from`)
	}
	return wanted, nil
}

func readSelector(service *corev1.Service) (labels.Selector, error) {
	text := service.Annotations[loadbalancer.AnnotationNodeSelector]
	selector, err := labels.Parse(text) // everything, when it is empty
	if err != nil {
		return nil, invalid("annotation "+loadbalancer.AnnotationNodeSelector, text,
			"a label selector, such as pool=edge,zone!=a ("+err.Error()+")")
	}
	return selector, nil
}

func readHealthCheck(service *corev1.Service, defaults config.HealthCheck) (nutanix.HealthCheck, error) {
	check := nutanix.HealthCheck(defaults)
	for _, a := range []struct {
		name  string
		value *int
	}{
		{loadbalancer.AnnotationHealthCheckInterval, &check.IntervalSeconds},
		{loadbalancer.AnnotationHealthCheckTimeout, &check.TimeoutSeconds},
		{loadbalancer.AnnotationHealthCheckSuccessThreshold, &check.SuccessThreshold},
		{loadbalancer.AnnotationHealthCheckFailureThreshold, &check.FailureThreshold},
	} {
		text := service.Annotations[a.name]
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > maxHealthCheck {
			return nutanix.HealthCheck{}, invalid("annotation "+a.name, text, fmt.Sprintf("a whole number from 1 to %d", maxHealthCheck))
		}
		*a.value = number
	}
	if check.TimeoutSeconds > check.IntervalSeconds {
		return nutanix.HealthCheck{}, invalid("annotation "+loadbalancer.AnnotationHealthCheckTimeout, strconv.Itoa(check.TimeoutSeconds),
			fmt.Sprintf("no more than the interval, which is %d: a check must time out before the next one", check.IntervalSeconds))
	}
	return check, nil
}

// maxHealthCheck bounds seconds and counts: an hour is a mistake already. Prism Central's own bounds are not documented; what
// it does not take becomes the Refusal PrismRefused.
const maxHealthCheck = 3600

func invalid(source, text, valid string) error {
	return &loadbalancer.Refusal{Reason: ReasonAnnotation, Message: fmt.Sprintf("%s is %q: it must be %s", source, text, valid)}
}
