package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The classes that are served when the configuration names none, each when its section is there.
const (
	ClassNLB  = "nutanix.com/nlb"
	ClassIPAM = "nutanix.com/ipam"
)

// Default sets what is not given.
func (c *Config) Default() {
	set(&c.PrismCentral.Port, 9440)
	set(&c.TopologyDiscovery.Type, TopologyPrism)
	set(&c.InstanceType, InstanceTypeConstant)
	c.LoadBalancer.setDefaults()
	set(&c.Client.Timeout, metav1.Duration{Duration: 30 * time.Second})
	set(&c.Client.TaskTimeout, metav1.Duration{Duration: 2 * time.Minute})
	set(&c.Client.CacheTTL, metav1.Duration{Duration: 10 * time.Second})
	set(&c.Client.RequestsPerSecond, 10)
	set(&c.Client.Burst, 20)
}

func (l *LoadBalancer) setDefaults() {
	set(&l.Type, LoadBalancerNone)
	set(&l.RepairPeriod, metav1.Duration{Duration: 10 * time.Minute})
	set(&l.Orphans, OrphansReport)
	if l.Classes == nil {
		l.Classes = map[string]LoadBalancerType{}
		if l.NLB != nil {
			l.Classes[ClassNLB] = LoadBalancerNLB
		}
		if l.IPAM != nil {
			l.Classes[ClassIPAM] = LoadBalancerIPAM
		}
	}
	if l.NLB != nil {
		set(&l.NLB.IPMode, "VIP")
		set(&l.NLB.HealthCheck.IntervalSeconds, 10)
		set(&l.NLB.HealthCheck.TimeoutSeconds, 5)
		set(&l.NLB.HealthCheck.SuccessThreshold, 3)
		set(&l.NLB.HealthCheck.FailureThreshold, 3)
	}
	if l.IPAM != nil {
		set(&l.IPAM.Announcer, KubeVIP)
	}
}

// Offered reports whether any Service of type LoadBalancer can be served.
func (l *LoadBalancer) Offered() bool {
	return l.Type != LoadBalancerNone && l.Type != "" || len(l.Classes) > 0
}

func set[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}
