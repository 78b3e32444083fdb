//go:build wasip2

package http

import (
	"errors"
	"fmt"
	"strings"

	"longhaul/internal/wit/httptypes"
)

// failure is what the host says in words.
func failure(code httptypes.ErrorCode) error {
	switch code := code.(type) {
	case httptypes.ErrorCodeInternalError:
		if code.Value == nil {
			break
		}
		if why, denied := strings.CutPrefix(*code.Value, "denied: "); denied {
			return &DeniedError{why}
		}
		return errors.New(*code.Value)
	case httptypes.ErrorCodeDNSError:
		if code.Value.Rcode != nil {
			return errors.New(*code.Value.Rcode)
		}
		return errors.New("the name cannot be resolved")
	case httptypes.ErrorCodeConnectionRefused:
		return errors.New("the connection was refused")
	case httptypes.ErrorCodeConnectionTimeout:
		return &silence{"the connection could not be made in time"}
	case httptypes.ErrorCodeConnectionReadTimeout, httptypes.ErrorCodeHTTPResponseTimeout:
		return &silence{"the response did not come in time"}
	case httptypes.ErrorCodeConnectionTerminated, httptypes.ErrorCodeHTTPResponseIncomplete:
		return errors.New("the connection ended before the response did")
	case httptypes.ErrorCodeHTTPResponseHeaderSectionSize:
		return errors.New("the response's head is too long")
	case httptypes.ErrorCodeTLSCertificateError:
		return errors.New("the server's certificate is not trusted")
	}
	// `httptypes.ErrorCodeTLSProtocolError` says enough by its name.
	_, name, _ := strings.Cut(fmt.Sprintf("%T", code), "ErrorCode")
	return errors.New(name)
}
