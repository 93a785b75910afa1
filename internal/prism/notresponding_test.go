package prism

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// While Prism Central holds all requests, one call waits. The others fail, also those that share a look-up. The call that waits succeeds
// when Prism Central responds.
func TestOneCallWaitsIfPrismCentralDoesNotRespond(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		entered, release := central.hold()
		t.Cleanup(release)
		client := central.client(t)
		const calls = 10
		results := make(chan error, calls)
		for i := range calls {
			go func() {
				var err error
				if i%2 == 0 {
					_, err = client.Image(t.Context(), byName("ubuntu"))
				} else {
					_, err = client.VM(t.Context(), uuid(6, 1))
				}
				results <- err
			}()
		}
		<-entered
		for range calls - 1 {
			err := <-results
			var notResponding *NotRespondingError
			require.ErrorAs(t, err, &notResponding)
			assert.True(t, Retryable(err))
			assert.ErrorContains(t, err, client.address)
		}
		began := time.Now()
		_, err := client.VM(t.Context(), uuid(6, 1))
		require.ErrorAs(t, err, new(*NotRespondingError))
		assert.Less(t, time.Since(began), minWait, "it does not wait")
		release()
		require.NoError(t, <-results)
		_, err = client.VM(t.Context(), uuid(6, 1))
		require.NoError(t, err)
	})
}

// minWait is the time that a call waits for a Prism Central that has not responded yet.
const minWait = 4 * time.Second
