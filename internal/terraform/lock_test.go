package terraform

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const lockText = `
Error: Error acquiring the state lock

Error message: %s
Lock Info:
  ID:        3b8c0f3e-cc52-3390-b7a5-ae1faa9d01e1
  Path:      
  Operation: OperationTypeApply
  Who:       %s
  Version:   1.11.4
  Created:   2026-02-18 01:53:51.747726783 +0000 UTC
  Info:      


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time. Please resolve the issue above and try
again. For most commands, you can disable locking with the "-lock=false"
flag, but this is not recommended.
`

const boxedLockText = `╷
│ Error: Error acquiring the state lock
│ 
│ Error message: the state is already locked by another tofu client
│ Lock Info:
│   ID:        3b8c0f3e-cc52-3390-b7a5-ae1faa9d01e1
│   Path:      
│   Operation: OperationTypeApply
│   Who:       ann@laptop
│   Version:   1.12.6
│   Created:   2026-02-18 01:53:51.747726783 +0000 UTC
│   Info:      
│ 
│ 
│ OpenTofu acquires a state lock to protect the state from being written
╵
`

func TestParseLock(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	require.NoError(t, err)
	created := time.Date(2026, 2, 18, 1, 53, 51, 747726783, time.UTC)
	const id = "3b8c0f3e-cc52-3390-b7a5-ae1faa9d01e1"
	for name, test := range map[string]struct {
		text  string
		begin time.Time
		want  *LockInfo
	}{
		"kubernetes": {
			text: fmt.Sprintf(lockText, "the state is already locked by another terraform client", "ann@laptop"),
			want: &LockInfo{ID: id, Who: "ann@laptop", Operation: "OperationTypeApply", Created: created},
		},
		"framed": {
			text: boxedLockText,
			want: &LockInfo{ID: id, Who: "ann@laptop", Operation: "OperationTypeApply", Created: created},
		},
		"older run on this host": {
			text:  fmt.Sprintf(lockText, "the state is already locked by another terraform client", "root@"+host),
			begin: created.Add(time.Second),
			want:  &LockInfo{ID: id, Who: "root@" + host, Operation: "OperationTypeApply", Created: created},
		},
		"http reports the ID of the holder": {
			text: fmt.Sprintf(lockText, "HTTP remote state already locked: ID=other", "root@"+host),
			want: &LockInfo{ID: "other"},
		},
		"pg prints the requested lock": {
			text:  fmt.Sprintf(lockText, "Workspace is already locked: default", "root@"+host),
			begin: created.Add(-time.Second),
		},
		"no lock in the output": {text: "\nError: Error acquiring the state lock\n\nleases \"a\" already exists\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := plainText(test.text)
			_, class := classify(parseDiagnostics(plain))
			assert.Equal(t, LockHeld, class)
			assert.Equal(t, test.want, parseLock(plain, test.begin))
		})
	}
}

func TestLockMessage(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 2, 18, 1, 53, 51, 0, time.UTC)
	assert.Equal(t, "the state is locked by ann@laptop since 2026-02-18T01:53:51Z for OperationTypeApply (lock id a)",
		(&LockInfo{ID: "a", Who: "ann@laptop", Operation: "OperationTypeApply", Created: created}).message())
	assert.Equal(t, "the state is locked (lock id a)", (&LockInfo{ID: "a"}).message())
}

func TestOwnApply(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	require.NoError(t, err)
	begin := time.Now()
	ours := LockInfo{ID: "a", Who: "root@" + host, Operation: "OperationTypeApply", Created: begin.Add(time.Second)}
	assert.True(t, ours.ownApply(begin))
	for name, change := range map[string]func(*LockInfo){
		"another host":  func(l *LockInfo) { l.Who = "root@other" },
		"another verb":  func(l *LockInfo) { l.Operation = "OperationTypePlan" },
		"an older lock": func(l *LockInfo) { l.Created = begin.Add(-time.Minute) },
	} {
		lock := ours
		change(&lock)
		assert.False(t, lock.ownApply(begin), name)
	}
}
