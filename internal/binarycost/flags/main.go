// The program flags is plain with flags, from a server or a folder.
package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/serin-flags/serin/sdk"
)

var fresh = sdk.Bool("fresh", false)

func main() {
	resp, err := http.Get("https://example.com/")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	source, err := sdk.FromURL("https://flags.example.com/shop/production")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := sdk.Open(context.Background(),
		sdk.Config{Source: source, Root: []byte("{}"), CacheDir: "/var/cache/flags"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		on := fresh.Get(client, sdk.User(r.URL.Path, sdk.Attr("city", r.Host)))
		fmt.Fprintln(w, resp.Status, on, client.Status())
	})
	fmt.Println(http.ListenAndServe("127.0.0.1:0", nil))
}
