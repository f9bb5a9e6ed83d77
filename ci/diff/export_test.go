package diff

// WithSteps returns a configuration that gives up on a flag after so many steps.
func (c Config) WithSteps(steps int) Config {
	c.steps = steps
	return c
}

// DrawFor is the draw of the person on a line of a population, for splits by chance.
var DrawFor = drawFor
