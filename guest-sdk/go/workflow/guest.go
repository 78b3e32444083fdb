package workflow

import (
	"fmt"
	"strings"

	"longhaul/internal/abi"
	"longhaul/internal/coro"
	"longhaul/internal/executor"
	"longhaul/internal/failure"
	"longhaul/internal/host"
	"longhaul/internal/start"
	"longhaul/internal/wit/definition"
	"longhaul/internal/wit/types"
	"longhaul/temporal"
)

// guest answers the host's calls. One instance of a component is one execution.
type guest struct {
	host host.Host
	run  *run
}

func (g *guest) Describe() definition.Description {
	coro.MustFit()
	start.Main()
	description := definition.Description{SDK: start.SDK()}
	for _, d := range definitions {
		description.Workflows = append(description.Workflows, g.describe(d))
	}
	return description
}

func (g *guest) describe(d *workflowDefinition) definition.WorkflowDefinition {
	runtime := executor.New(g.host, types.ExecutionInfo{WorkflowType: d.name})
	r := newRun(d, runtime)
	r.describing, r.initializing = true, true
	if d.collect != nil {
		runtime.ReadOnly("an init function", func() { d.collect(r.context) })
	}
	described := definition.WorkflowDefinition{Name: d.name, Description: d.description, DynamicHandlers: r.dynamic}
	for _, h := range r.signals {
		described.Signals = append(described.Signals, h.wire())
	}
	for _, name := range r.declared {
		described.Signals = append(described.Signals, types.Handler{Name: name})
	}
	for _, h := range r.queries {
		described.Queries = append(described.Queries, h.wire())
	}
	for _, h := range r.updates {
		described.Updates = append(described.Updates, definition.UpdateHandler{Handler: h.wire(), HasValidator: h.validate != nil})
	}
	return described
}

func (d descriptor) wire() types.Handler {
	return types.Handler{Name: d.name, Description: d.description}
}

func (g *guest) Prepare() {
	start.Main()
	start.MakeRoom()
	start.OpenStreams()
	start.RefuseFiles()
}

func (g *guest) Start(info types.ExecutionInfo, input types.Payloads) (result abi.Result[struct{}, types.Failure]) {
	start.Main()
	start.Seed()
	fail := func(chain types.Failure) { result.Err = &chain }
	known := make([]string, 0, len(definitions))
	for _, d := range definitions {
		if d.name == info.WorkflowType {
			g.run = newRun(d, executor.New(g.host, info))
			if err := g.run.start(input); err != nil {
				fail(temporal.Failure(err))
			}
			return result
		}
		known = append(known, d.name)
	}
	text := fmt.Sprintf("Workflow type '%s' is not defined by this component. It defines: [%s]", info.WorkflowType, strings.Join(known, " "))
	fail(types.Failure{failure.Application("NotFoundError", text)})
	return result
}

func (g *guest) Signal(meta definition.MessageMeta, name string, input types.Payloads) {
	g.run.signal(meta, name, input)
}

func (g *guest) ValidateUpdate(id string, meta definition.MessageMeta, name string, input types.Payloads) (result abi.Result[struct{}, types.Failure]) {
	g.run.runtime.ReadOnly("a validator", func() {
		if chain := g.run.validateUpdate(id, meta, name, input); chain != nil {
			result.Err = &chain
		}
	})
	return result
}

func (g *guest) Update(id string, meta definition.MessageMeta, name string, input types.Payloads) {
	g.run.update(id, meta, name, input)
}

func (g *guest) Query(name string, input types.Payloads, _ types.Header) (result abi.Result[types.Payload, types.Failure]) {
	g.run.runtime.ReadOnly("a query", func() { result = g.run.query(name, input) })
	return result
}

func (g *guest) Resolve(seq uint32, outcome definition.Outcome) { g.run.runtime.Resolve(seq, outcome) }

func (g *guest) Cancel(reason string) { g.run.runtime.RequestCancel(reason) }

func (g *guest) Advance() { g.run.advance() }

func (g *guest) Waiting() []definition.WaitingTask { return g.run.runtime.Waiting() }
