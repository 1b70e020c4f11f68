package provider

import (
	"context"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// fetchKeys reads the provider's key set.
func (p *Provider) fetchKeys(ctx context.Context) ([]jose.PublicKey, error) {
	m, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	body, err := p.client.get(ctx, endpointKeys, m.JWKSURI)
	if err != nil {
		return nil, err
	}
	keys, err := jose.ParseKeys(body)
	if err != nil {
		return nil, p.client.unreachable(endpointKeys, err.Error(), nil)
	}
	return keys, nil
}
