// Package awstest leads the AWS SDK of tests to doubles of AWS's services.
//
// It is for tests only.
package awstest

import (
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Env returns what a process needs in its environment so that the AWS SDK's default configuration
// leads to a double of a service, such as KMS or S3, in the form of os.Environ. The files of the
// user who runs the tests count for nothing.
func Env(service, endpoint, region string, credentials aws.Credentials) []string {
	return []string{
		"AWS_ENDPOINT_URL_" + service + "=" + endpoint,
		"AWS_ACCESS_KEY_ID=" + credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN=" + credentials.SessionToken,
		"AWS_REGION=" + region,
		"AWS_PROFILE=",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}
