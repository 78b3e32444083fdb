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
// Each attempt runs in an instance of its own. It may block, and start goroutines; it ends when its function returns. What it may reach of
// the world the module's settings grant: hosts by package longhaul/http, files and variables by package os.
package activity
