package diff

// WithSteps returns a configuration that gives up on a flag after so many steps.
func (c Config) WithSteps(steps int) Config {
	c.steps = steps
	return c
}

// MaxMarkdown is the most characters that Markdown writes.
const MaxMarkdown = maxMarkdown

// Float returns the share as a number from 0 to 1, rounded.
func (s Share) Float() float64 { return s.float() }

// DrawFor is the draw of the person on a line of a population, for splits by chance.
var DrawFor = drawFor
