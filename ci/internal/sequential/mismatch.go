package sequential

import (
	"fmt"
	"math"
)

// Mismatch returns the logarithm of the e-value against the claim that units fall into
// arms in the given shares, such as 0.01 and 0.99. There is a sample ratio mismatch when
// it reaches the logarithm of 1/alpha, at any look; then comparisons of the arms mean
// nothing. It needs only totals, so there is no state to keep.
//
// counts are distinct units: repeated requests of one unit would pass for evidence. Shares
// are above 0, below 1, and sum to 1.
func Mismatch(counts, shares []float64) (logE float64, err error) {
	if len(counts) != len(shares) || len(counts) < 2 {
		return 0, fmt.Errorf("there are two or more arms, each with a count and a share, not %d counts and %d shares",
			len(counts), len(shares))
	}
	sum, smallest, n := 0.0, 1.0, 0.0
	for i, share := range shares {
		if !(share >= 1e-12 && share < 1) {
			return 0, fmt.Errorf("the share of an arm is above 0 and below 1, not %v", share)
		}
		if err := checkCount("units of an arm", counts[i]); err != nil {
			return 0, err
		}
		sum, smallest, n = sum+share, min(smallest, share), n+counts[i]
	}
	if math.Abs(sum-1) > 1e-9 {
		return 0, fmt.Errorf("the shares of the arms sum to 1, not to %v", sum)
	}
	if n > maxUnits {
		return 0, fmt.Errorf("units of all arms: %v is more than 10^12", n)
	}
	logs := make([]float64, len(concentrations))
	for i, c := range concentrations {
		logs[i] = dirichlet(counts, shares, n, c*(1-smallest)/smallest)
	}
	return logMean(logs), nil
}

// maxUnits is the largest number of units. Up to it, the error of the logarithm is below 0.1.
const maxUnits = 1e12

// concentrations are those of the prior Dirichlet distributions around the shares, in
// multiples of the odds against the smallest arm. With 1/d² as the multiple, the standard
// deviation of the smallest share is about d times that share: these are 100%, 32%, 10%
// and 3%.
var concentrations = [...]float64{1, 10, 100, 1000}

// dirichlet returns the logarithm of how much more likely the counts are if the shares
// were drawn from a Dirichlet distribution around the given ones than with these.
func dirichlet(counts, shares []float64, n, concentration float64) float64 {
	log := -rising(concentration, n)
	for i, x := range counts {
		log += rising(concentration*shares[i], x) - x*math.Log(shares[i])
	}
	return log
}

// rising returns the logarithm of Γ(a+x)/Γ(a).
func rising(a, x float64) float64 {
	if x == 0 {
		return 0
	}
	above, _ := math.Lgamma(a + x)
	below, _ := math.Lgamma(a)
	return above - below
}
