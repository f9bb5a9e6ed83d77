package handles

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"golang.org/x/tools/go/types/typeutil"
)

const (
	sdkPath         = "github.com/serin-flags/serin/sdk"
	openFeaturePath = "github.com/open-feature/go-sdk/openfeature"
)

// A reader is a function that takes the key of a flag.
type reader struct {
	arg  int // the key's
	kind evaluator.Kind
	// def is the argument with the default; 0: there is none.
	def int
}

// readers are the functions and methods that take the key of a flag, by package, the type of
// the receiver if there is one, and name.
var readers = func() map[string]reader {
	all := map[string]reader{
		sdkPath + ".Bool":              {kind: evaluator.KindBool, def: 1},
		sdkPath + ".String":            {kind: evaluator.KindString, def: 1},
		sdkPath + ".Int":               {kind: evaluator.KindInt, def: 1},
		sdkPath + ".Float":             {kind: evaluator.KindFloat, def: 1},
		sdkPath + ".JSON":              {kind: evaluator.KindObject, def: 1},
		sdkPath + ".Client.Evaluate":   {},
		sdkPath + ".Snapshot.Evaluate": {},
		sdkPath + ".Snapshot.Explain":  {},
	}
	for name, kind := range map[string]evaluator.Kind{
		"Boolean": evaluator.KindBool, "String": evaluator.KindString, "Int": evaluator.KindInt,
		"Float": evaluator.KindFloat, "Object": evaluator.KindNone, // any value is an object to it
	} {
		for _, suffix := range []string{"", "Value", "ValueDetails"} {
			for _, receiver := range []string{"Client", "IClient", "IEvaluation"} {
				all[openFeaturePath+"."+receiver+"."+name+suffix] = reader{arg: 1, kind: kind, def: 2}
			}
		}
	}
	return all
}()

// call returns what a call reads.
func (f *finder) call(info *types.Info, call *ast.CallExpr) (Read, bool) {
	fn, ok := typeutil.Callee(info, call).(*types.Func)
	if !ok || fn.Pkg() == nil {
		return Read{}, false
	}
	path := fn.Pkg().Path()
	if path != sdkPath && path != openFeaturePath {
		return Read{}, false
	}
	name := fn.Name()
	if receiver := fn.Signature().Recv(); receiver != nil {
		name = typeName(receiver.Type()) + "." + name
	}
	r, ok := readers[path+"."+name]
	if !ok || len(call.Args) <= max(r.arg, r.def) {
		return Read{}, false
	}
	key := call.Args[r.arg]
	read := Read{Type: r.kind, Call: fn.Pkg().Name() + "." + name}
	at := f.fset.Position(key.Pos())
	read.File, read.Column, _ = f.place(at)
	read.Line = at.Line
	read.Key, _ = text(info, key)
	if r.def > 0 {
		read.text, read.hasText = text(info, call.Args[r.def])
	}
	return read, true
}

// typeName returns the name of a type, or of the one that it points to.
func typeName(t types.Type) string {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name()
	}
	return ""
}

// text returns the value of an expression, if it is a constant text.
func text(info *types.Info, e ast.Expr) (string, bool) {
	value := info.Types[e].Value
	if value == nil || value.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(value), true
}

// position reads FILE:LINE:COLUMN, of which the column or both numbers may be missing.
func position(text string) (token.Position, bool) {
	if text == "" || text == "-" {
		return token.Position{}, false
	}
	var numbers []int
	for len(numbers) < 2 {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			break
		}
		n, err := strconv.Atoi(text[i+1:])
		if err != nil {
			break
		}
		numbers, text = append(numbers, n), text[:i]
	}
	switch len(numbers) {
	case 2:
		return token.Position{Filename: text, Line: numbers[1], Column: numbers[0]}, true
	case 1:
		return token.Position{Filename: text, Line: numbers[0], Column: 1}, true
	}
	return token.Position{Filename: text, Line: 1, Column: 1}, true
}
