// A greeting whose language can be changed while the workflow runs: an update that returns a value, and its validator.
package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"longhaul/temporal"
	"longhaul/workflow"
)

const day = 24 * time.Hour

// greetings by the code of their language.
var greetings = map[string]string{
	"de": "Hallo",
	"en": "Hello",
	"es": "Hola",
	"fr": "Bonjour",
}

// greeting is the state of one workflow.
type greeting struct {
	language string
}

func newGreeting(ctx workflow.Context, _ workflow.None) (*greeting, error) {
	g := &greeting{language: "en"}
	workflow.HandleUpdateWithOptions(ctx, "set_language", g.setLanguage, workflow.UpdateHandlerOptions[string]{
		Description: "Set the language; returns the one before",
		Validator:   g.validateLanguage,
	})
	return g, nil
}

func (g *greeting) Run(ctx workflow.Context) (string, error) {
	if err := workflow.Sleep(ctx, day); err != nil {
		return "", err
	}
	// The validator has let known languages pass only.
	return greetings[g.language], nil
}

func (g *greeting) setLanguage(ctx workflow.Context, language string) (string, error) {
	before := g.language
	workflow.GetLogger(ctx).Info("Language changed", "from", before, "to", language)
	g.language = language
	return before, nil
}

// validateLanguage refuses languages without a greeting; a refused update leaves nothing in history.
func (g *greeting) validateLanguage(_ workflow.Context, language string) error {
	if _, ok := greetings[language]; ok {
		return nil
	}
	known := strings.Join(slices.Sorted(maps.Keys(greetings)), ", ")
	return temporal.NewApplicationError("Language "+language+" not supported; there are: "+known, "ValueError")
}

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{
		Name:        "GreetingWorkflow",
		Description: "Greets after a day, in the language that was set last.",
	}, newGreeting, workflow.Run)
}
