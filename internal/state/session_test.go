package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func alwaysDead(context.Context, Lock) (bool, error) { return true, nil }

const initial = `{"version": 4, "serial": 1, "lineage": "line", "resources": []}`

func TestWriteNeedsTheLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.ErrorContains(t, session.Write(t.Context(), "1", []byte(initial)), "does not hold its lock")
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	require.ErrorContains(t, session.Write(t.Context(), "2", []byte(initial)), "does not hold its lock")
	require.NoError(t, session.Write(t.Context(), "1", []byte(initial)))
	require.ErrorContains(t, session.Unlock(t.Context(), "2"), "does not hold lock 2")
	require.NoError(t, session.Unlock(t.Context(), "1"))
	session.Close(t.Context())
	require.ErrorIs(t, session.Lock(t.Context(), "1", nil), errClosed)
	_, err := session.Read(t.Context())
	require.ErrorIs(t, err, errClosed)
}

func TestLockOfAClosedSessionIsBroken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ended := f.open(f.store)
	require.NoError(t, ended.Lock(t.Context(), "1", describe("1", "test")))
	_, err := f.store.Open(t.Context(), f.key, f.owner)
	var locked *LockedError
	require.ErrorAs(t, err, &locked, "the session is open")

	f.store.mark("1", false) // simulates a session that was closed while the API server did not respond
	assert.Equal(t, "1", f.open(f.store).Broken().ID)
	assert.Empty(t, f.holder())
}

// TestEarlierProcessCannotLockAState proves that a process cannot read the resourceVersion for its writes again after another process has
// taken over the state.
func TestEarlierProcessCannotLockAState(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	earlier := f.open(f.store)
	f.open(newStore(f.api, "term-2"))
	before := f.lease().ResourceVersion
	require.ErrorIs(t, earlier.Lock(t.Context(), "1", describe("1", "test")), errTakenOver)
	assert.Equal(t, before, f.lease().ResourceVersion, "the lock was not acquired for a moment, either")
}

// TestLockThatIsAcquiredTooLateFails suspends a process between its last check and the acquisition of the lock. Meanwhile another process
// takes over the state, and locks and unlocks it.
func TestLockThatIsAcquiredTooLateFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	earlier := f.open(f.store)
	api, err := client.NewWithWatch(environment.Config, client.Options{Scheme: f.api.Scheme()})
	require.NoError(t, err)
	f.store.Client = interceptor.NewClient(api, interceptor.Funcs{
		Update: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			later := f.open(newStore(f.api, "term-2"))
			require.NoError(t, later.Lock(ctx, "2", describe("2", "test")))
			require.NoError(t, later.Unlock(ctx, "2"))
			return api.Update(ctx, object, options...)
		},
	})
	require.True(t, apierrors.IsConflict(errors.Unwrap(earlier.Lock(t.Context(), "1", describe("1", "test")))))
	assert.Empty(t, f.holder())
}

// TestSweepRemovesStaleLocks proves that a lock whose response was lost is removed although its state needs no run.
func TestSweepRemovesStaleLocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	sweeper := &Sweeper{Store: f.store, Namespace: f.key.Namespace}
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	require.NoError(t, sweeper.unlock(t.Context()))
	assert.Equal(t, "1", f.holder(), "the run is active")
	require.NoError(t, session.Unlock(t.Context(), "1"))

	lost := errors.New("unexpected error when reading response body")
	api, err := client.NewWithWatch(environment.Config, client.Options{})
	require.NoError(t, err)
	f.store.Client = interceptor.NewClient(api, interceptor.Funcs{
		Update: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return errors.Join(api.Update(ctx, object, options...), lost)
		},
	})
	require.ErrorIs(t, session.Lock(t.Context(), "2", describe("2", "test")), lost)
	f.store.Client = f.api
	require.Equal(t, "2", f.holder())
	require.NoError(t, sweeper.unlock(t.Context()))
	assert.Empty(t, f.holder())

	lease := f.lease()
	lease.Spec.HolderIdentity = ptr.To("person")
	require.NoError(t, f.api.Update(t.Context(), lease))
	require.NoError(t, sweeper.unlock(t.Context()))
	assert.Equal(t, "person", f.holder(), "no manager has acquired the lock")
}

func TestLockOfAnotherProcessIsBrokenOnlyIfItIsDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.open(f.store).Lock(t.Context(), "1", describe("1", "test")))
	other := newStore(f.api, "term-2")
	for name, dead := range map[string]func(context.Context, Lock) (bool, error){
		"nobody knows":      nil,
		"it lives":          func(context.Context, Lock) (bool, error) { return false, nil },
		"it cannot be read": func(context.Context, Lock) (bool, error) { return true, errors.New("no connection") },
	} {
		t.Run(name, func(t *testing.T) {
			other.Dead = dead
			_, err := other.Open(t.Context(), f.key, f.owner)
			require.Error(t, err)
			assert.Equal(t, "1", f.holder())
		})
	}
	other.Dead = alwaysDead
	f.open(other)
	assert.Empty(t, f.holder())
}

func TestLockOfAnEarlierLeaderIsBroken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	election := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: f.key.Namespace, Name: "leader"}}
	require.NoError(t, f.api.Create(t.Context(), election))
	leader := func(transitions int32) *Store {
		host, err := os.Hostname()
		require.NoError(t, err)
		election.Spec.LeaseTransitions, election.Spec.HolderIdentity = ptr.To(transitions), ptr.To(host+"_id")
		require.NoError(t, f.api.Update(t.Context(), election))
		store := newStore(f.api, "")
		store.Election = ptr.To(client.ObjectKeyFromObject(election))
		return store
	}
	earlier, later := f.open(leader(9)), leader(10)
	require.NoError(t, earlier.Lock(t.Context(), "1", describe("1", "test")))
	session := f.open(later)
	assert.Equal(t, "1", session.Broken().ID)
	require.ErrorIs(t, earlier.Write(t.Context(), "1", []byte(initial)), errTakenOver)
	require.NoError(t, session.Lock(t.Context(), "2", describe("2", "test")))

	// The earlier leader has not noticed yet that it is no longer the leader.
	_, err := earlier.states.Open(t.Context(), f.key, f.owner)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, "2", locked.Lock.ID)
	require.NoError(t, session.Unlock(t.Context(), "2"))
	_, err = earlier.states.Open(t.Context(), f.key, f.owner)
	require.ErrorIs(t, err, errTakenOver, "a state that is not locked")

	// A lock of an earlier leader is not stale until Grace has passed, because runs of that leader may still be active.
	require.NoError(t, session.Lock(t.Context(), "3", describe("3", "test")))
	third := leader(11)
	third.Grace = time.Hour
	_, err = third.Open(t.Context(), f.key, f.owner)
	require.ErrorAs(t, err, &locked)
	third.since = time.Now().Add(-time.Hour)
	assert.Equal(t, "3", f.open(third).Broken().ID)

	election.Spec.HolderIdentity = ptr.To("another-host_id")
	require.NoError(t, f.api.Update(t.Context(), election))
	follower := newStore(f.api, "")
	follower.Election = ptr.To(client.ObjectKeyFromObject(election))
	_, err = follower.Open(t.Context(), f.key, f.owner)
	require.ErrorContains(t, err, "is not the leader")
}

// Terraform's kubernetes backend keeps annotations of the Lease that it does not know.
func TestTermOfAnEarlierLockDoesNotMakeALockStale(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.NoError(t, session.Lock(t.Context(), "run", describe("run", "test")))
	lease := f.lease()
	lease.Spec.HolderIdentity = ptr.To("person")
	require.NoError(t, f.api.Update(t.Context(), lease))
	session.Close(t.Context())
	_, err := f.store.Open(t.Context(), f.key, f.owner)
	var locked *LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, "person", locked.Lock.ID)
}

func TestDeletedSecretIsCreatedAgainWithTheNextLock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	f.force(f.secret())
	require.ErrorIs(t, session.Write(t.Context(), "1", []byte(initial)), errTakenOver)
	require.NoError(t, session.Push(t.Context(), []byte(initial)))
	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, initial, string(stored))
}

func TestChangedMetadataDoNotPreventAWrite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	secret := f.secret()
	secret.Labels["backup"] = "yes"
	require.NoError(t, f.api.Update(t.Context(), secret))
	require.NoError(t, session.Write(t.Context(), "1", []byte(initial)))
	assert.Equal(t, "yes", f.secret().Labels["backup"])
}

func TestPushHasTheRuleOfTerraform(t *testing.T) {
	t.Parallel()
	state := func(lineage string, serial int, resources string) []byte {
		return fmt.Appendf(nil, `{"lineage": %q, "serial": %d, "resources": [%s]}`, lineage, serial, resources)
	}
	const one, other = `{"type": "a"}`, `{"type": "b"}`
	present := state("line", 5, one)
	for name, test := range map[string]struct {
		content, present []byte
		err              error
	}{
		"no present state": {present, nil, nil},
		"newer":            {state("line", 6, other), present, nil},
		"the same":         {state("line", 5, one), present, nil},
		"same serial":      {state("line", 5, other), present, ErrRefused},
		"older":            {state("line", 4, one), present, ErrRefused},
		"another lineage":  {state("other", 6, one), present, ErrRefused},
		"empty state":      {present, state("other", 7, ""), nil},
		"no JSON":          {[]byte("x"), present, errFormat},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, follows(test.content, test.present), test.err) })
	}
}

func TestStateThatIsTooLargeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	noise := make([]byte, 2*maxContent)
	_, _ = rand.Read(noise)
	require.ErrorIs(t, session.Write(t.Context(), "1", noise), errTooLarge)
}

// flaky returns a client whose next updates of Secrets return err. failures is the number of these updates. If written is true, the API
// server executes them anyway.
func flaky(t *testing.T, failures int, err error, written bool) client.Client {
	t.Helper()
	api, clientErr := client.NewWithWatch(environment.Config, client.Options{})
	require.NoError(t, clientErr)
	return interceptor.NewClient(api, interceptor.Funcs{
		Update: func(ctx context.Context, api client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			_, isState := object.(*corev1.Secret)
			if !isState || failures == 0 {
				return api.Update(ctx, object, options...)
			}
			failures--
			if written {
				if err := api.Update(ctx, object.DeepCopyObject().(client.Object), options...); err != nil {
					return err
				}
			}
			return err
		},
	})
}

func TestWriteOutlastsAnAPIServerThatIsAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err     error
		written bool
	}{
		"no connection":        {errors.New("connection refused"), false},
		"busy":                 {apierrors.NewTooManyRequestsError("later"), false},
		"the response is lost": {errors.New("unexpected EOF"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.open(f.store).Close(t.Context())
			session := f.open(newStore(flaky(t, 2, test.err, test.written), f.store.Term))
			require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
			require.NoError(t, session.Write(t.Context(), "1", []byte(initial)))
			stored, err := session.Read(t.Context())
			require.NoError(t, err)
			assert.JSONEq(t, initial, string(stored))
		})
	}
}

func TestRefusedWriteIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.open(f.store).Close(t.Context())
	denied := apierrors.NewForbidden(corev1.Resource("secrets"), "x", errors.New("no right"))
	session := f.open(newStore(flaky(t, 1, denied, false), f.store.Term))
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	require.ErrorIs(t, session.Write(t.Context(), "1", []byte(initial)), denied)
}

const bootstrap = "CA-KEY"

// stateOf returns a state that contains the given user data of a virtual machine.
func stateOf(userDataJSON string) string {
	return fmt.Sprintf(`{"version": 4, "serial": 7, "lineage": "line", "outputs": {"vm_uuid": {"value": "u", "type": "string"}}, "resources": [
  {"module": "module.machine", "mode": "managed", "type": "nutanix_virtual_machine", "name": "this", "instances": [
    {"schema_version": 1, "status": "tainted", "attributes": {"id": "u", "num_sockets": 2, %q: %s}}]}]}`, userData, userDataJSON)
}

func TestUserDataIsNotStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	session := f.open(f.store)
	require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
	require.NoError(t, session.Write(t.Context(), "1", []byte(stateOf(`"`+bootstrap+`"`))))
	require.NoError(t, session.Unlock(t.Context(), "1"))
	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	assert.JSONEq(t, stateOf("null"), string(stored))
}

// TestGuestCustomizationIsNotStored proves that the state of a VM of the v4 API contains no user data.
func TestGuestCustomizationIsNotStored(t *testing.T) {
	t.Parallel()
	stateWith := func(customization string) string {
		return fmt.Sprintf(`{"version": 4, "serial": 7, "lineage": "line", "outputs": {}, "resources": [
  {"module": "module.machine", "mode": "managed", "type": "nutanix_virtual_machine_v2", "name": "this", "instances": [
    {"schema_version": 1, "attributes": {"id": "u", "num_sockets": 2, "guest_customization": %s}}]}]}`, customization)
	}
	const stored = `[{"config": [{"cloud_init": [{"cloud_init_script": [{"user_data": [{"value": "` + bootstrap + `"}]}]}]}]}]`
	for customization, want := range map[string]string{stored: "[]", "[]": "[]", "null": "null"} {
		f := newFixture(t)
		session := f.open(f.store)
		require.NoError(t, session.Lock(t.Context(), "1", describe("1", "test")))
		require.NoError(t, session.Write(t.Context(), "1", []byte(stateWith(customization))))
		content, err := session.Read(t.Context())
		require.NoError(t, err)
		assert.JSONEq(t, stateWith(want), string(content))
		assert.NotContains(t, string(content), bootstrap)
	}
}

func TestUserDataIsTakenOutOfAnExistingState(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.open(f.store).Close(t.Context())
	secret := f.secret()
	content, err := encode([]byte(stateOf(`"` + bootstrap + `"`)))
	require.NoError(t, err)
	secret.Data = map[string][]byte{contentKey: content}
	require.NoError(t, f.api.Update(t.Context(), secret))

	// The lock was left by a run that was killed.
	lease := f.lease()
	lease.Spec.HolderIdentity = ptr.To("killed")
	require.NoError(t, f.api.Update(t.Context(), lease))
	next := newStore(f.api, "term-2")
	next.Dead = alwaysDead
	session := f.open(next)
	assert.Equal(t, "killed", session.Broken().ID)
	stored, err := session.Read(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(stored), bootstrap)
	assert.Contains(t, string(stored), `"serial":8`)
	assert.Empty(t, f.holder())
	unchanged := f.secret().ResourceVersion
	f.open(newStore(f.api, "term-2"))
	assert.Equal(t, unchanged, f.secret().ResourceVersion)
}

func TestContentThatIsNoStateIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON":      `{"` + userData + `": ` + bootstrap,
		"no resources": `{"serial": 1, "resources": "` + userData + bootstrap + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, edit := range []func() error{
				func() error { _, _, err := withoutUserData([]byte(content)); return err },
				func() error { _, err := Forget([]byte(content), "a.b"); return err },
				func() error { _, err := Untaint([]byte(content), "a.b"); return err },
			} {
				err := edit()
				require.ErrorIs(t, err, errFormat)
				assert.NotContains(t, err.Error(), bootstrap)
			}
		})
	}
}

func TestUntaintAndForgetMatchWholeAddresses(t *testing.T) {
	t.Parallel()
	const vm = "module.machine.nutanix_virtual_machine.this"
	untainted, err := Untaint([]byte(stateOf("null")), vm)
	require.NoError(t, err)
	assert.NotContains(t, string(untainted), "tainted")
	assert.Contains(t, string(untainted), `"num_sockets":2`)
	assert.Contains(t, string(untainted), `"serial":8`)
	other, err := Untaint([]byte(stateOf("null")), "nutanix_virtual_machine.this")
	require.NoError(t, err)
	assert.Contains(t, string(other), "tainted")
	forgotten, err := Forget([]byte(stateOf("null")), vm)
	require.NoError(t, err)
	assert.NotContains(t, string(forgotten), "nutanix_virtual_machine")
}
