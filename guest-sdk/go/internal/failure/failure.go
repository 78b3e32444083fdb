// Package failure makes links of the failures that cross the boundary to the host.
package failure

import "longhaul/internal/wit/types"

// Source is what this SDK writes into the failures that it makes.
const Source = "GoSDK"

// Link is a failure of a kind, made here.
func Link(message string, info types.FailureInfo) types.FailureCause {
	return types.FailureCause{Message: message, Source: Source, Info: info}
}

// Application is an application failure of a type.
func Application(kind, message string) types.FailureCause {
	return Link(message, types.FailureInfoApplication{Value: types.ApplicationFailure{Type: kind}})
}

// Cancelled is a cancellation without details.
func Cancelled(message string) types.FailureCause {
	return Link(message, types.FailureInfoCancelled{})
}
