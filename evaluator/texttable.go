package evaluator

// A dictionary numbers the texts that an attribute is compared with. The number of a text is
// its symbol; 0 stands for all that have none.
type dictionary struct {
	texts []string // by symbol; the first is empty
	table textTable
}

func newDictionary() dictionary {
	return dictionary{texts: []string{""}, table: textTable{random: randomSeed()}}
}

// symbol returns the symbol of a text, or 0.
func (d *dictionary) symbol(text string) uint32 { return d.table.find(d.texts, text) }

// add returns the symbol of a text, which it adds if necessary.
func (d *dictionary) add(text string) uint32 {
	symbol := d.symbol(text)
	if symbol == 0 {
		symbol = uint32(len(d.texts))
		d.texts = append(d.texts, text)
		d.table.addLast(d.texts)
	}
	return symbol
}

// A textTable maps texts to their indices in a list of distinct texts. It is a hash table
// like that of an idSet, which takes less time and memory than a map. The zero textTable is
// empty.
type textTable struct {
	tags   []uint64 // for each group, the tags of its slots; 0 is free
	slots  []uint32 // indices into the list; none is 0
	random uint64   // seed of the hash
}

// find returns the index of a text, or 0.
func (t *textTable) find(texts []string, text string) uint32 {
	if len(t.tags) == 0 {
		return 0
	}
	slot, found := t.search(texts, text, hashText(text, t.random))
	if !found {
		return 0
	}
	return t.slots[slot]
}

// addLast adds the last of texts, which must not be in the table. All others after the first
// must be.
func (t *textTable) addLast(texts []string) {
	if n := len(texts); 2*n > len(t.slots) { // fuller ones often need a second group for a lookup
		t.tags = make([]uint64, 4*n/groupSlots+1)
		t.slots = make([]uint32, groupSlots*len(t.tags))
		for i := 1; i < n-1; i++ {
			t.put(texts, uint32(i))
		}
	}
	t.put(texts, uint32(len(texts)-1))
}

func (t *textTable) put(texts []string, index uint32) {
	h := hashText(texts[index], t.random)
	slot, _ := t.search(texts, texts[index], h)
	t.slots[slot] = index
	t.tags[slot/groupSlots] |= tag(h) << (slot % groupSlots * 8)
}

// search returns the slot of text, which has the hash h. If text isn't in the table, it
// returns the slot where text belongs.
func (t *textTable) search(texts []string, text string, h uint64) (slot int, found bool) {
	for group := start(h, len(t.tags)); ; group++ {
		if group == len(t.tags) {
			group = 0
		}
		tags := t.tags[group]
		for equal := equalTags(tags, tag(h)); equal != 0; equal &= equal - 1 {
			slot := slotOf(group, equal) // may be free: see equalTags
			if index := t.slots[slot]; index != 0 && texts[index] == text {
				return slot, true
			}
		}
		if free := equalTags(tags, 0); free != 0 {
			return slotOf(group, free), false
		}
	}
}
