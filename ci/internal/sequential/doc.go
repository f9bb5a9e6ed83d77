// Package sequential has the statistics of guards and experiments. They may be looked at
// after every period, and stopped at any look: the chance of a false alarm is that of all
// looks together.
//
// Start at [NewRate] for bad events in the new arm against the rest, [NewLimit] for an
// absolute limit, [Mismatch] for units in unexpected shares, and [Difference] for means.
// [Split] divides the chance of a false alarm of a plan. A guard uses them like this, with
// one test for each metric and step:
//
//	alpha, err := sequential.Split(0.001, steps, metrics)
//	test, err := sequential.NewRate(0.1, sequential.Config{Alpha: alpha, Length: 4 * time.Hour})
//	…
//	err = test.Add(sinceTheStepWasCleared, sequential.Period{
//		New:  sequential.Arm{Exposures: 31, Bad: 2},
//		Rest: sequential.Arm{Exposures: 2969, Bad: 28},
//	})
//	switch test.Evidence().Verdict { … }
//
// A test depends only on the periods that it is given. So a robot may keep it between two
// looks, or build it again from the periods of one range query. Periods may have any
// length: short ones find faults sooner.
//
// # E-values
//
// An e-value is a number that is at most 1 on average if nothing is wrong. So it reaches
// 1/α with a chance of at most α (Markov's inequality). An e-process is one that grows with
// the data, so that this holds for its highest value over all time (Ville's inequality). Its
// tests fail when it reaches 1/α. See Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic
// statistics and safe anytime-valid inference", arXiv 2210.01948. The average of e-values
// is one, too.
//
// [Rate] tests that the rate of bad events per exposure is at most 1+w times that of the
// rest, where w is worse_by. Given all x_T + x_C bad events of a period, those of the new
// arm are binomial. With share p of the exposures, the probability is at most
//
//	p₀ = p(1+w) / (p(1+w) + 1−p)
//
// and q_r, the same with r(1+w) for 1+w, if the ratio is r times what is fine. So
// (q_r/p₀)^x_T · ((1−q_r)/(1−p₀))^x_C has the mean 1 at most. The factors of all periods
// are multiplied, with the share that each period had. The e-process is the mean for r in
// 1.25, 1.5, 2, 3, 5, 10 and 30, which are the faults that it finds fastest.
//
// A long time without a fault makes such a product small, and a later fault would have to
// make up for that. So there is one product from each of many points of the step, such as
// every minute, and what counts is their average, with weights that sum to 1. The points in
// the planned length of the step have equal weights, together 15/16. The rest is for later
// ones, ever farther apart, because a step may wait for an approval for days.
//
// [Limit] does the same with Poisson's distribution: for x bad events of n exposures and the
// limit m, the factor is r^x · exp(−nm(r−1)). It also has a mean of 1 at most if an
// exposure has no more than one bad event.
//
// [Mismatch] is the ratio of the Dirichlet-multinomial likelihood of the counts to the
// multinomial one: Lindon and Malek, "Anytime-valid inference for multinomial count data",
// arXiv 2011.03567. It is the mean for four priors around the expected shares, from vague to
// narrow.
//
// [Difference] has the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
// Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
// sequences", arXiv 2103.06476: for n values with standard deviation σ, the mean is within
//
//	σ · sqrt(2(nρ²+1)/(n²ρ²) · log(sqrt(nρ²+1)/α))
//
// of the estimate at all n at once. For a difference, the variance of an arm counts divided
// by its share of the values. ρ is such that this is narrowest at a given n.
//
// # Verdicts
//
// [Fail] means that the e-process reached 1/α at some look. It stays, whatever comes later.
//
// [Inconclusive] means that the e-process is at least 3 now: the data speak for a fault, but
// don't prove it. A step waits, because with more data the e-process either falls again or
// reaches 1/α. Without a fault it is at least 3 at no more than a third of the looks, which
// is the guarantee, and at fewer than 1% in simulations.
//
// [Pass] means that the data don't speak for a fault. It doesn't mean that there is none: the
// first steps of a plan are small, and to prove a ratio below 1.1 takes about a thousand bad
// events in the new arm. That is why a plan has steps, why a guard has a minimum of time and
// exposures, and why [Evidence] tells which ratios the data rule out. Callers must not take
// a pass without any exposures for success.
//
// # Users, not requests
//
// All tests need independent events. Requests of one user aren't: a user for whom something
// fails sees it fail again and again. Count users with at least one bad event. In a
// simulation of steps without any fault (TestSimulateHeavyUsers), in which all requests of
// one user in a hundred fail, none of 5,000 steps failed when users were counted. When
// requests were counted, 4,816 did with 10 requests of each user, and 4,740 when few users
// made most of them.
package sequential
