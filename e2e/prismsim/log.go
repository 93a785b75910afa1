package prismsim

import (
	"log"
	"strings"

	"github.com/go-logr/logr"
)

// serverLog turns lines of net/http (handshake errors of clients that do not trust us, mostly) into debug entries.
type serverLog struct{ log logr.Logger }

func newServerLog(l logr.Logger) *log.Logger { return log.New(serverLog{l}, "", 0) }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.V(1).Info("HTTP server", "line", strings.TrimSpace(string(line)))
	return len(line), nil
}
