package ccm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// listTimeout bounds waiting for the first list of Services, which the framework asks for when it starts.
const listTimeout = 30 * time.Second

// published are the addresses that Services say they are reached by, whoever serves them. AHV sees on a NIC what a node announces
// for a load balancer of anybody.
type published struct {
	services corelisters.ServiceLister
	synced   cache.InformerSynced
}

// watch is called before anybody asks.
func (p *published) watch(factory informers.SharedInformerFactory) {
	services := factory.Core().V1().Services()
	p.services, p.synced = services.Lister(), services.Informer().HasSynced
}

// addresses lists them; none without informers.
func (p *published) addresses(ctx context.Context) ([]string, error) {
	if p.synced == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if !p.synced() && !cache.WaitForCacheSync(ctx.Done(), p.synced) {
		return nil, errors.New("the API server has not listed Services yet")
	}
	services, err := p.services.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	var addresses []string
	for _, service := range services {
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			if ingress.IP != "" {
				addresses = append(addresses, ingress.IP)
			}
		}
	}
	return addresses, nil
}
