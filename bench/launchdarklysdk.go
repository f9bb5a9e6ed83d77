package bench

import (
	"fmt"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// launchDarklySDK is the SDK with its events off. It polls a server on this
// machine once.
type launchDarklySDK struct{}

func (launchDarklySDK) Name() string { return "LaunchDarkly SDK" }

func (launchDarklySDK) Publish(dir string, e *Estate) error { return launchDarkly{}.Publish(dir, e) }

func (launchDarklySDK) Load(p Place) (Client, error) {
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataSource:       ldcomponents.PollingDataSource().PollInterval(24 * time.Hour),
		ServiceEndpoints: interfaces.ServiceEndpoints{Polling: p.URL, Streaming: p.URL, Events: p.URL},
		Events:           ldcomponents.NoEvents(),
		Logging:          ldcomponents.NoLogging(),
		DiagnosticOptOut: true,
	}, time.Minute)
	if err != nil {
		return nil, fmt.Errorf("starting the LaunchDarkly SDK: %w", err)
	}
	return ldSDKClient{client}, nil
}

type ldSDKClient struct{ *ld.LDClient }

func (c ldSDKClient) Bool(flag string, u *User) bool {
	value, err := c.BoolVariation(flag, ldContext(u), false)
	if err != nil {
		return false
	}
	return value
}

func (c ldSDKClient) Text(flag string, u *User) string {
	value, err := c.StringVariation(flag, ldContext(u), "")
	if err != nil {
		return err.Error()
	}
	return value
}

func (c ldSDKClient) All(keys []string, u *User) map[string]string {
	answers := make(map[string]string)
	for _, key := range keys {
		answers[key] = c.Text(key, u)
	}
	return answers
}
