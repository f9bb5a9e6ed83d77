// The program versitygw is the S3 server that tests run against: what the command of that name does with the
// arguments that internal/s3test has. The command has far more to it, such as Azure and its own tests, which take a
// minute of two processors to compile. This module has the versions of the AWS SDK that Serin has, so that the SDK is
// compiled once for both.
package main

import (
	"context"
	"flag"
	"log"
	"os"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	log.SetFlags(0)
	port := flag.String("port", "", "listen on `HOST:PORT`")
	region := flag.String("region", "", "the AWS `region` that buckets are in")
	quiet := flag.Bool("quiet", false, "don't log requests")
	flag.Parse()
	if flag.NArg() != 2 || flag.Arg(0) != "posix" {
		log.Fatal("usage: versitygw --port HOST:PORT --region REGION [--quiet] posix FOLDER")
	}
	folder := flag.Arg(1)
	if err := (meta.XattrMeta{}).Test(folder); err != nil {
		log.Fatal(err)
	}
	backend, err := posix.New(folder, meta.XattrMeta{}, posix.PosixOpts{Concurrency: 5000, CopyObjectThreshold: 5 << 30})
	if err != nil {
		log.Fatal(err)
	}
	err = embedgw.RunVersityGW(context.Background(), backend, &embedgw.Config{
		RootUserAccess: os.Getenv("ROOT_ACCESS_KEY"), RootUserSecret: os.Getenv("ROOT_SECRET_KEY"),
		Region: *region, Ports: []string{*port}, Quiet: *quiet,
		MaxConnections: 250_000, MaxRequests: 100_000, MultipartMaxParts: 10_000, // the command's own limits
	})
	if err != nil {
		log.Fatal(err)
	}
}
