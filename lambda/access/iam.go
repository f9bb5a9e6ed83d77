package access

import (
	"context"
	"strings"
)

type identityKey struct{}

// WithIdentity returns a context for requests that AWS has authenticated with IAM: arn is
// who signed the request, by what Lambda says of it, never by a header.
func WithIdentity(ctx context.Context, arn string) context.Context {
	return context.WithValue(ctx, identityKey{}, arn)
}

func identityOf(ctx context.Context) string {
	arn, _ := ctx.Value(identityKey{}).(string)
	return arn
}

// An arn is an Amazon Resource Name of IAM, without the session of a role and without the
// paths of names, which an account has only once.
type arn struct{ partition, account, kind, name string }

// rootName is the name of an account, which stands for everyone in it.
const rootName = "root"

// parseARN reads who a request is from, or who a client is: arn:aws:iam::ACCOUNT:role/NAME,
// …:user/NAME or …:root, or arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION.
func parseARN(text string) (a arn, ok bool) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[3] != "" || !isAccount(parts[4]) ||
		!strings.HasPrefix(parts[1], "aws") {
		return arn{}, false
	}
	a = arn{partition: parts[1], account: parts[4], name: parts[5]}
	kind, path, _ := strings.Cut(parts[5], "/")
	switch {
	case parts[2] == "iam" && parts[5] == rootName:
		return a, true
	case parts[2] == "iam" && (kind == "role" || kind == "user"):
		a.kind, a.name = kind, path[strings.LastIndexByte(path, '/')+1:]
	case parts[2] == "sts" && kind == "assumed-role":
		a.kind = "role"
		a.name, _, ok = strings.Cut(path, "/")
		return a, ok && a.name != ""
	default:
		return arn{}, false
	}
	return a, a.name != "" && !strings.ContainsAny(a.name, "*?")
}

func isAccount(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// principal returns the client that an identity of IAM is, nil if there is none. A client
// for a role or a user counts before one for its account.
func (c *Clients) principal(text string) *client {
	a, ok := parseARN(text)
	if !ok {
		return nil
	}
	if found := c.byARN[a]; found != nil {
		return found
	}
	return c.byARN[arn{partition: a.partition, account: a.account, name: rootName}]
}
