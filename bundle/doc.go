// Package bundle encodes compiled flags into signed artifacts, and verifies a
// published repository of them.
//
// To read a repository, start with [NewVerifier] and [Verifier.Update]; to make
// what goes into one, with [EncodePayload]. The package signs nothing, keeps
// nothing on disk, starts no goroutine and logs nothing. It reads through a
// [Source], which it doesn't trust, and its caller passes the time.
//
// # Repository
//
// A repository is one folder for one environment:
//
//	timestamp.json                                    replaced at each publication
//	<N>.root.json, <N>.snapshot.json, <N>.targets.json
//	targets/<namespace>/<sha256>.flags.msgpack.gz     payloads
//	targets/lists/<sha256>.<sha256>.txt.gz            long lists
//
// It is a TUF repository with consistent snapshots
// (https://theupdateframework.github.io/specification/v1.0.34/), which any TUF
// client can read. Root lists the keys of all roles; timestamp lists the version
// of snapshot, snapshot that of targets, and targets the lengths and hashes of the
// payloads, under the paths <namespace>/flags.msgpack.gz, and of the lists that these
// refer to, under the paths lists/<sha256>.txt.gz. Beyond TUF:
//
//   - The signed part of root has a field "x-serin-environment", which isn't empty.
//   - The label of a payload names the environment and the namespace that it
//     belongs to.
//
// # Payloads
//
// A payload is two gzip members, one after the other, so that any tool for gzip
// decompresses it as a whole, and the first part can be read by itself. Each is
// one MessagePack map with string keys. Nothing may follow either map, or the
// second member.
//
// The first map is the label, of at most 4 KiB. Its entries have this order:
//
//	format       1 or 2: the version of all that follows
//	environment  a string
//	namespace    a string
//
// and then, in format 1:
//
//	size         how many bytes the second map has before compression; at most 128 MiB
//
// In format 2 the last entry is
//
//	columns      a map: size, as above; features, an array of strings in
//	             ascending order, without duplicates; with the feature lists:
//	             lists, an array of SHA-256s of 32 bytes each, without
//	             duplicates; if anybody may read the flags: public, true; and
//	             what later versions add, which readers skip
//
// A feature is something that a reader must know to give the right answers. If it
// doesn't know one of those that the label names, it refuses the payload. The
// name has 1 to 64 printable ASCII characters. These exist, where NAME is what
// package evaluator calls it:
//
//	hash:NAME    a hash other than murmur3_x64_128, in splits, reservations and
//	             conditions; one of [evaluator.Hashes]
//	op:NAME      an operator of conditions after [evaluator.OpServes]
//	type:NAME    a type of attributes after [evaluator.AttrList]: semver-v, time and number
//	lists        lists that are targets of their own
//
// A payload that uses one of them without naming it is refused. [EncodePayload]
// writes format 1 if there is nothing to name.
//
// The second map is the ruleset ([evaluator.Ruleset]) in columns, field by field
// instead of record by record. The comment on the type wire in wire.go says which
// columns there are and how they are read.
//
// This is a payload of format 2, decompressed: the flag new-cart of namespace
// shop, which is off, but on for half of the users by Unleash's hash. Texts in
// quotes are MessagePack strings.
//
//	84 "format" 02 "environment" "production" "namespace" "shop"
//	"columns" 82 "size" cd 01 35 "features" 91 "hash:unleash"
//
//	de 00 15
//	"unit" 91 00                                the next text: user
//	"text" "usernew-cartoffonhalfunleash"
//	"text_lens" 96 04 08 03 02 04 07
//	"ints" 95 00 01 00 32 64                    false, true, then of the split
//	"attribute_name" 91 01                      text 1: user
//	"attribute_type" 91 01                      a string
//	"prerequisites" 91 00                       none
//	"flag_key" 91 00                            the next text: new-cart
//	"flag_form" 91 01                           boolean
//	"flag_default" 91 00                        the first variant
//	"flag_off" 91 00                            the first variant
//	"flag_variants" 91 02
//	"flag_rules" 91 01
//	"variant_name" 92 00 00                     the next texts: off, on
//	"rule_name" 91 00                           the next text: half
//	"rule_form" 91 02                           a split
//	"split_by" 91 01                            text 1: user
//	"split_salt" 91 02                          text 2: new-cart
//	"split_hash" 91 00                          the next text: unleash; foreign,
//	                                            so ints: its own number of positions
//	"split_ranges" 91 02                        ints: they end at 50 and at 100
//	"range_variant" 92 01 00                    on, off
//
// # Lists
//
// A list of [MinList] strings or more is a target of its own, so that it doesn't travel
// again with each change of the flags that refer to it. It is one gzip member of text: the
// strings in ascending order of their bytes, without duplicates, each followed by a
// newline. A string has 1 to 1,000 bytes. What isn't in that order, or has a newline, stays
// in the payload, and so do lists of integers, and those after the first 100 of a payload.
//
// Its SHA-256, of the compressed bytes, is its name, and is how payloads refer to it. So
// any number of payloads can share a list, and none can get another one than it was
// published with. Before compression a payload and its lists have at most 128 MiB together.
//
// # Metadata
//
// A metadata file is a JSON object with "signed", an object, and "signatures",
// an array of {"keyid", "sig"}: a hexadecimal signature of the canonical form
// of "signed". No keyid may occur twice. The canonical form is OLPC canonical
// JSON: no white space, keys in ascending order of their UTF-8 bytes, integers
// in decimal, strings with no escapes but \" and \\.
//
// JSON is refused if an object has a key twice, or a key that differs only in case
// from one that is looked for; if a number isn't an integer of magnitude 2^53 at
// most, in its shortest form; if it isn't valid UTF-8 or has a lone surrogate; if
// it is nested more than 32 levels deep or has more than 262,144 values. Unknown
// fields are part of what is signed and otherwise ignored.
//
// Keys are ed25519 (keytype and scheme "ed25519", the public key in hexadecimal)
// or ECDSA on P-256 (keytype "ecdsa" or "ecdsa-sha2-nistp256", scheme
// "ecdsa-sha2-nistp256", the public key in PEM, signatures in ASN.1 of a SHA-256
// digest). A root with any other kind of key, RSA included, is refused, and so is one
// with an ed25519 key that is a point of small order. A keyid
// must be the SHA-256 of the canonical form of its key, either of the whole object
// or of the three fields that TUF defines. A role is satisfied if as many different
// public keys of it signed as its threshold says; signatures that are wrong, or by
// other keys, don't matter.
//
// In "signed", "_type" must name the role; "spec_version" must be 1.x or 1.x.y;
// "version" must be 1 or more; "expires" must have the form 2006-01-02T15:04:05Z.
// In root, "consistent_snapshot" must be true. In targets, "delegations" must be
// absent: ignoring what a delegated role signs isn't what its publisher means.
//
// Among targets, a path that ends in /flags.msgpack.gz must begin with a
// namespace ([ValidNamespace]), and must have a SHA-256 and a length of 1 or
// more. Under the path lists/<sha256>.txt.gz, there must be a target of that SHA-256. Other
// targets must be well formed and are ignored.
//
// Errors about bytes that no signature or hash has confirmed yet say what is
// malformed, and never quote them.
//
// # Verification
//
// An update starts from the pinned root and from the newest metadata of each role
// that the release before, or any update before, has verified; it is called trusted
// below. The update takes these steps, in this order; if one fails, the update has
// failed, and the release before it stays. But what the steps before have verified is
// trusted from then on, as TUF has it (5.3): nothing older is accepted any more, and the
// chain of roots goes on where it stopped. Metadata is always checked in the order
// length and hashes (as listed, if they are), form of the outside, signatures, content,
// version, expiry. It is expired unless "expires" is later than the time at which the
// update began; metadata that has expired isn't used, but it is trusted too.
//
//  1. If there is a release before, and no newer root or timestamp is trusted, ask for
//     timestamp.json with its ETag. If it isn't modified, or has the same bytes, the
//     release stays. [Verifier.UpdateRoot] takes this step after the next one.
//  2. Ask for root N+1, N being the version of the trusted one, until it isn't
//     found, but not more than 256 times. Each must be signed as the root before
//     it says, and as it says itself, have exactly version N+1, and name the
//     same environment.
//  3. If there was a newer root, ask for timestamp.json again. Forget the trusted
//     timestamp, snapshot and targets, with their versions, unless the new root's
//     keys signed the first two (5.3.11); and targets that its keys didn't sign. In any
//     case, the last root must not be expired.
//  4. Verify timestamp. Its version must not be lower than the trusted one's. If
//     it is the same, so must be what is signed, or there is a [Conflict]; then the
//     trusted one stays, and so does the release unless the root is new. The version
//     of snapshot that it lists must not be lower than before. Snapshot and targets of
//     the trusted version must also be the trusted ones.
//  5. Get the snapshot, <N>.snapshot.json, unless it is the trusted one. It must
//     have the version listed. All files that the trusted one lists must still be
//     listed, none with a lower version.
//  6. Get targets, <N>.targets.json, unless they are the trusted ones. They must
//     have the version listed, and [VerifierConfig.MinRevision] or more.
//  7. All requested namespaces must be listed, with 64 MiB together at most. Get
//     the payloads that the release before doesn't have. Length and hashes must be
//     as listed. Only then read the label of a payload: it must belong to the
//     root's environment and to its namespace, and need no feature that isn't
//     known. The flags after the label are for [CompilePayload], which may refuse
//     them.
//  8. All lists that the labels name must be listed, with 64 MiB at most together with
//     the payloads. Get those that the release before doesn't have. Length and hashes
//     must be as listed. What is in them is for [CompilePayload], too.
//
// At most 512 KiB are read of a root, 16 KiB of timestamp, 2 MB of snapshot and
// 5 MB of targets, and never more than the length listed.
//
// The result of an update is a [Release], in memory. [Release.State] turns it into
// a small repository, which [Verifier.Restore] takes through the same steps from
// the pinned root, except that nothing expires. [Verifier.Seen] does that with what
// is trusted beyond the release, and [Verifier.Remember] verifies it.
//
// # What this does not protect from
//
// Someone with the keys of a role can sign anything for it until the root is
// rotated. Someone who controls the network, or the disk that a state is restored
// from, can hide what is new until what is old expires: see [Release.Expires]. So
// a client without a state accepts any release that hasn't expired; see
// [VerifierConfig.MinRevision].
//
// A client that holds a release asks for timestamp.json before it looks for newer
// roots. So who controls the network, and answers nothing at all to that, keeps it from
// seeing a new root, as by cutting the network.
package bundle
