// The program plain uses net/http, as a client and as a server: what flags are
// compared with.
package main

import (
	"fmt"
	"net/http"
)

func main() {
	resp, err := http.Get("https://example.com/")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, resp.Status) })
	fmt.Println(http.ListenAndServe("127.0.0.1:0", nil))
}
