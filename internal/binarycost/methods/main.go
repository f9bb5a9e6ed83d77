// The program methods calls a method whose name it learns as it runs, so that the
// linker has to keep the methods of all types.
package main

import (
	"fmt"
	"os"
	"reflect"
)

func main() { fmt.Println(reflect.ValueOf(os.Stdout).MethodByName(os.Args[0])) }
