//go:build unix

package deploy

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestTraefik checks the form of Traefik's configuration, and that its parts refer to each
// other. Traefik itself isn't run: it can't be installed by package managers.
func TestTraefik(t *testing.T) {
	var dynamic struct {
		HTTP struct {
			Routers map[string]struct {
				EntryPoints, ParentRefs, Middlewares []string
				Rule, Service                        string
				Priority                             int
			}
			Middlewares map[string]struct {
				RateLimit   struct{ Average, Burst int }
				ForwardAuth struct {
					Address                                       string
					TrustForwardHeader                            bool
					AuthResponseHeaders, AddAuthCookiesToResponse []string
					MaxResponseBodySize                           int
				}
				CircuitBreaker struct{ Expression string }
			}
			Services map[string]struct {
				Failover     struct{ Service, Fallback string }
				LoadBalancer struct {
					Servers     []struct{ URL string }
					HealthCheck struct{ Path, Interval, Timeout string }
				}
			}
		}
	}
	var static struct {
		EntryPoints map[string]struct{ Address string }
		Ping        struct{ ManualRouting bool }
		Providers   struct{ File struct{ Filename string } }
	}
	for file, into := range map[string]any{"traefik/dynamic.yaml": &dynamic, "traefik/traefik.yaml": &static} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewDecoder(bytes.NewReader(lowerKeys(data)))
		d.KnownFields(true)
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	services := append(slices.Collect(maps.Keys(dynamic.HTTP.Services)), "ping@internal")
	for name, r := range dynamic.HTTP.Routers {
		for _, parent := range r.ParentRefs {
			if p, ok := dynamic.HTTP.Routers[parent]; !ok || p.Service != "" {
				t.Errorf("router %s: the parent %q doesn't exist or has a service", name, parent)
			}
		}
		for _, m := range r.Middlewares {
			if _, ok := dynamic.HTTP.Middlewares[m]; !ok {
				t.Errorf("router %s: there is no middleware %q", name, m)
			}
		}
		for _, e := range r.EntryPoints {
			if _, ok := static.EntryPoints[e]; !ok {
				t.Errorf("router %s: there is no entry point %q", name, e)
			}
		}
		if r.Rule == "" || (r.Service == "") != (name == "root") ||
			r.Service != "" && !slices.Contains(services, r.Service) {
			t.Errorf("router %s: rule %q, service %q", name, r.Rule, r.Service)
		}
		if len(r.ParentRefs) > 0 == (len(r.EntryPoints) > 0) {
			t.Errorf("router %s has both entry points and parents, or neither", name)
		}
	}
	if auth := dynamic.HTTP.Middlewares["decide"].ForwardAuth; auth.TrustForwardHeader ||
		!strings.HasPrefix(auth.Address, "http://"+static.EntryPoints["decide"].Address+"/route/") {
		t.Errorf("forwardAuth is %+v", auth)
	}
	if f := dynamic.HTTP.Services["decide"].Failover; f.Service != "serin" ||
		!slices.Contains(services, f.Fallback) || !static.Ping.ManualRouting {
		t.Errorf("failover is %+v", f)
	}
}

// lowerKeys returns YAML with keys in lower case, as package yaml reads them into structs
// without tags.
func lowerKeys(data []byte) []byte {
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if key, rest, ok := strings.Cut(line, ":"); ok && !strings.Contains(key, "#") {
			lines[i] = strings.ToLower(key) + ":" + rest
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
