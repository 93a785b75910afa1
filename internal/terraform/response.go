package terraform

import (
	"cmp"
	"strings"
)

// Response is an error response that the provider has received, or a failed task that it has read.
type Response struct {
	// Status is the HTTP status, or 0 for a task.
	Status          int
	Reason, Message string
}

// noText is how provider 2.4 prints an error response to the create of a VM.
const noText = "<nil>"

// explained returns the text of an error of the provider and its class. Of most v4 error responses, provider 2.4 prints only the message,
// and nothing of the response to the create of a VM. So explained searches responses, the last of which is the newest, for the one that
// caused the error. If it finds none, it returns text and class.
func explained(text string, class Class, responses []Response) (string, Class) {
	lacksText := strings.Contains(text, noText)
	for i := len(responses) - 1; i >= 0; i-- {
		response := responses[i]
		message := collapse(response.Message)
		if !lacksText && (message == "" || !strings.Contains(text, message)) {
			continue
		}
		if lacksText {
			text = strings.Replace(text, noText, cmp.Or(message, "Prism Central sent no message"), 1)
		}
		if known := classifyResponse(response.Reason, response.Status); known != Unknown {
			class = known
		}
		return text, class
	}
	return text, class
}
