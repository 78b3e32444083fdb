package executor

// HandlerKind is which messages a handler takes.
type HandlerKind uint8

const (
	SignalHandler HandlerKind = iota
	UpdateHandler
)

// Handler is a handler that has begun and not ended.
type Handler struct {
	kind    HandlerKind
	name    string
	abandon bool
	number  uint64
}

// BeginHandler notes that a handler begins. Nobody is warned of one that may be abandoned.
func (r *Runtime) BeginHandler(kind HandlerKind, name string, abandon bool) *Handler {
	r.handler++
	handler := &Handler{kind, name, abandon, r.handler}
	r.handlers.add(handler.number, handler)
	return handler
}

// EndHandler notes that a handler has ended.
func (r *Runtime) EndHandler(handler *Handler) { r.handlers.remove(handler.number) }

// AllHandlersFinished tells whether every handler that has begun has ended.
func (r *Runtime) AllHandlersFinished() bool { return r.handlers.len() == 0 }

// UnfinishedHandlers are the names of unfinished handlers that their users want to hear of.
func (r *Runtime) UnfinishedHandlers(kind HandlerKind) []string {
	var names []string
	for handler := range r.handlers.all {
		if handler.kind == kind && !handler.abandon {
			names = append(names, handler.name)
		}
	}
	return names
}
