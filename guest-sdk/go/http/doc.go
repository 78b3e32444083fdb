// Package http sends HTTP requests from activities. The names are those of net/http, which TinyGo has no network for.
//
//	func price(ctx context.Context, sku string) (string, error) {
//		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/prices/"+sku, nil)
//		if err != nil {
//			return "", err
//		}
//		response, err := http.DefaultClient.Do(request)
//		if err != nil {
//			return "", err
//		}
//		defer response.Body.Close()
//		if err := response.ErrorForStatus(); err != nil {
//			return "", err
//		}
//		body, err := response.ReadAll(64 << 10)
//		return string(body), err
//	}
//
// The module's settings say which hosts may be asked:
//
//	[grants.http]
//	hosts = ["api.example.com"]
//
// Another host is a *DeniedError, which says which line would grant it. Redirects are not followed: a response with status 302 is a
// response like others, and a request to the place that it names is granted or denied by itself. While a request waits, other goroutines
// of the attempt run. A request that has the activity's context ends when the attempt should stop.
//
// Elsewhere than in a component, in tests of activities with ordinary Go, requests are sent by net/http.
package http
