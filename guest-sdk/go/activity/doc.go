// Package activity is for activities in Go, built by TinyGo: the only place for input and output. The names are those of Temporal's Go
// SDK.
//
//	func charge(ctx context.Context, payment Payment) (string, error) {
//		activity.GetLogger(ctx).Info("charging", "amount", payment.Amount)
//		...
//	}
//
//	func main() { activity.Register("charge", charge) }
//
// Each attempt runs in an instance of its own. It may block, and start goroutines; what it may reach of the world the module's settings
// grant.
package activity
