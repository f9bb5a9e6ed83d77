package sequential

// WithStarts returns cfg with n starts in the planned length.
func WithStarts(cfg Config, n int) Config {
	cfg.starts = n
	return cfg
}

// Starts returns how many points a fault has been looked for from.
func (r *Rate) Starts() int { return r.starts.begun }
