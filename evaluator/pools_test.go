package evaluator_test

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// pools are what a generator takes from. They are only read.
type pools struct {
	units       []string // texts that ids, members and operands are taken from
	texts       []string // none of them empty
	operands    []string // each often
	tags        []string
	ints        []int64
	times       []int64
	offsets     []int
	opens       []int64
	closes      []int64
	hashes      []evaluator.Bucketing            // of another system, without attribute and salt
	levels      map[evaluator.Bucketing][]uint64 // for each of hashes: positions of units, the ones after them, and others
	by, salts   []string
	metadata    []string
	addresses   []string
	noAddresses []string
	networks    []string
	ranges      [][]string
	versions    []string
	noVersions  []string
	expressions []string
	values      map[evaluator.Kind][]evaluator.Value
	odd         []evaluator.Value
}

func newPools() *pools {
	p := &pools{
		units: []string{
			"", "a", "b", "A", "a\x00b", "\x00", "u-1", "u-2", "42", "-7", "0", "-9223372036854775808",
			"k", "K", "\u212a", "s", "\u017f", "ß", "ẞ", "Σίσυφος", "ΣΊΣΥΦΟΣ", "北京", "\xff", "\xfe", "\ufffd",
			"a\xff", "A\xff",
			strings.Repeat("u", 15), strings.Repeat("u", 16), strings.Repeat("u", 127), strings.Repeat("u", 128),
		},
		ints: []int64{0, 1, -1, 2, 3, -7, 7, 10, 42, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1,
			math.MinInt64 + 1, 1 << 53},
		offsets: []int{0, 3600, 7200, -18000, 19800, 20700, 86399, -86399, 1, -1},
		opens:   []int64{0, 1, 3600, 32400, 64800, 79200, 86399},
		closes:  []int64{1, 3600, 21600, 32400, 64800, 86399, 86400},
		// The clocks of Berlin change at 1774746000 and 1792890000.
		times: []int64{
			0, 1, 1000, 1001, 86400, -86400, 951782400, 1774746000, 1774749600, 1792890000, 1792893600,
			1 << 32, -1 << 32,
			math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64, -1 << 62, 1 << 62,
		},
		by:       []string{"user", "user", "city", "uid", "account"},
		salts:    []string{"salt", "f0", "北京", "\xff"},
		metadata: []string{"owner", "B", "weight", "\u00e9", "\xff"},
		operands: []string{"k", "a", "ß", "\xff"},
		expressions: []string{
			"^a", "b$", "^$", "a|B", "[a-k]", "(?i)A", ".", "^.$", "\x00", "\\pL{2}", "ß", "Σ", "k+", "^u{16}", "\\d",
			"(?m)^b", "\ufffd", "[^a]", "s",
		},
	}
	p.addressPools()
	p.versionPools()
	p.valuePools()
	p.texts = append(p.texts, p.units[1:]...)
	p.tags = append(p.tags, p.units[:6]...)
	p.tags = append(p.tags, "\xff", strings.Repeat("u", 128))
	p.texts = append(p.texts, "aab\nb", "a.b", "北京市", "\xe2\x84", "\u212a\u017f\xaaK",
		strings.Repeat("aK\xff", 40)+"b", "ΑΣ σας", "İıI")
	for _, name := range evaluator.Hashes() {
		p.hashes = append(p.hashes, evaluator.Bucketing{Hash: name})
		if naiveHashes[name].most > 0 {
			p.hashes = append(p.hashes, evaluator.Bucketing{Hash: name, Positions: 3})
		}
	}
	p.levels = make(map[evaluator.Bucketing][]uint64)
	for _, b := range p.hashes {
		p.levels[b] = p.boundaries(b)
	}
	p.levels[evaluator.Bucketing{}] = p.levels[evaluator.Bucketing{Hash: evaluator.HashMurmur3}] // by chance
	return p
}

// boundaries returns positions that are special to some unit, and some others.
func (p *pools) boundaries(b evaluator.Bucketing) []uint64 {
	total := b.Total()
	levels := []uint64{0, 1, total / 2, total - 1, total}
	units := slices.Clone(p.units)
	for _, i := range p.ints {
		units = append(units, strconv.FormatInt(i, 10))
	}
	for _, b.Salt = range p.salts[:2] {
		for _, unit := range units {
			position := naivePosition(unit, b)
			levels = append(levels, position, position+1)
		}
	}
	return levels
}

func (p *pools) addressPools() {
	p.addresses = []string{
		"10.0.0.1", "::ffff:10.0.0.1", "::FFFF:a00:1", "0:0:0:0:0:ffff:0a00:0001", "10.255.255.255", "11.0.0.0",
		"0.0.0.0", "255.255.255.255",
		"::", "::1", "::10.0.0.1", "::a00:1", "2001:db8::1", "2001:DB8:0:0::1", "2001:db8::", "2001:db9::", "fe80::1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8",
	}
	p.noAddresses = []string{
		"", "10.0.0", "10.0.0.1.2", "010.0.0.1", "10.0.0.01", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1:80",
		"[::1]", "10.0.0.0/8", "0x0a.0.0.1",
		"fe80::1%eth0", "::ffff:10.0.0.1%eth0", "::1%", "10.0.0.1%eth0", ":::", "1::2::3", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8::", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9",
		"::00001", "::g", ":1", "1:", "::10.0.0.01", "10.0.0.1::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5",
		"-1.0.0.0", "+1.0.0.0", "１.0.0.0", strings.Repeat("1", 46),
	}
	p.networks = []string{"10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "255.255.255.254/31", "::/0", "2001:db8::/32",
		"2001:db8::1/128", "::/96", "8000::/1"}
	p.ranges = [][]string{
		{"10.0.0.1", "10.0.0.1"}, {"0.0.0.0", "255.255.255.255"}, {"::ffff:10.0.0.0", "11.0.0.0"}, {"10.0.0.2", "10.255.255.255"},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, {"::1", "2001:db8::1"}, {"2001:db8::1", "2001:db9::"},
	}
}

func (p *pools) versionPools() {
	p.versions = []string{
		"2", "2.0", "2.0.0", "2.0.0+b7", "2.0.1", "2.1", "10", "2-a", "2-a.1", "2.0-a.2", "2.0.0-a.10", "2-a.b",
		"2-a.b.c", "2-b", "2-1", "2-10", "2--", "2-A",
	}
	p.noVersions = []string{
		"", "v1", "1.", ".1", "1..2", "01", "1.02", "1.2.3.4", "1-", "1-01", "1-a..b", "1+", "1+a+b", "1-ä", "1 ",
		" 1", "1.x", "-1", "+1", "1.2.-3",
		"10000000000000000000", "1.99999999999999999999", "18446744073709551616", "1-\x00", "１", "1.2.3-rc.1+",
		"latest", "1\n",
	}
}

func (p *pools) valuePools() {
	p.values = map[evaluator.Kind][]evaluator.Value{
		evaluator.KindBool:   {evaluator.BoolValue(true), evaluator.BoolValue(false)},
		evaluator.KindString: {evaluator.StringValue(""), evaluator.StringValue("blue"), evaluator.StringValue("\xff")},
		evaluator.KindInt: {evaluator.IntValue(0), evaluator.IntValue(math.MaxInt64),
			evaluator.IntValue(math.MinInt64)},
		evaluator.KindFloat: {evaluator.FloatValue(0.5), evaluator.FloatValue(0),
			evaluator.FloatValue(math.Copysign(0, -1)), evaluator.FloatValue(math.MaxFloat64)},
		evaluator.KindObject: {evaluator.ObjectValue(`{}`), evaluator.ObjectValue(` {"a": [1]}`),
			evaluator.ObjectValue(`[]`)},
	}
	p.odd = []evaluator.Value{
		{}, evaluator.FloatValue(0), evaluator.FloatValue(math.Copysign(0, -1)), evaluator.FloatValue(42),
		evaluator.FloatValue(math.NaN()),
		evaluator.FloatValue(math.Inf(1)), evaluator.ObjectValue("{}"), evaluator.ListValue(),
		evaluator.StringValue(""),
	}
}
