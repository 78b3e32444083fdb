// Package temporal has the errors, retry policies and search attributes that workflows and activities share, with the names of
// Temporal's Go SDK.
package temporal
