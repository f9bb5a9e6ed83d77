// Package bench measures Serin beside other feature flag libraries for Go that
// evaluate in process. README.md says what is measured and how to read it.
//
// An [Estate] describes flags in terms of no system. A [System] turns it into
// that system's own published form and loads it again, as a service would. [Check]
// asks every system the same questions before anything is timed, and compares
// the answers with those of [Flag.Answer], which is a few lines and has no tricks.
package bench
