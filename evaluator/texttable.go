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

// A textTable maps texts to their indices in a list of distinct texts. It is a hash table with
// linear probing, whose slots hold short texts themselves: so most lookups compare two words and
// read no text. The zero textTable is empty.
type textTable struct {
	slots  []textSlot // at most half of them are taken
	random uint64     // seed of the hash
}

// A textSlot is a text of a textTable. The zero textSlot is free.
type textSlot struct {
	text  shortID // or, if it is long, its hash and longText
	index uint32  // in the list
}

// longText is shortID.rest of a text that isn't short. No shortID has this length.
const longText = 0xff << 56

// find returns the index of a text, or 0. It repeats search: a call for each text would
// take a tenth of an evaluation.
func (t *textTable) find(texts []string, text string) uint32 {
	if len(t.slots) == 0 {
		return 0
	}
	if len(text) > maxShortID {
		return t.slots[t.searchLong(texts, text)].index
	}
	id := newShortID(text)
	for i := t.start(id); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		if slot := &t.slots[i]; slot.text == id || slot.text.rest == 0 {
			return slot.index
		}
	}
}

// search returns the slot of a short text. If the text isn't in the table, it returns the slot
// where the text belongs.
func (t *textTable) search(text shortID) int {
	for i := t.start(text); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		if slot := &t.slots[i]; slot.text == text || slot.text.rest == 0 {
			return i
		}
	}
}

// searchLong is search for a text that isn't short.
func (t *textTable) searchLong(texts []string, text string) int {
	id := shortID{hashText(text, t.random), longText}
	for i := t.start(id); ; i++ {
		if i == len(t.slots) {
			i = 0
		}
		if slot := &t.slots[i]; slot.text.rest == 0 || slot.text == id && texts[slot.index] == text {
			return i
		}
	}
}

// start returns the slot where probing starts.
func (t *textTable) start(text shortID) int {
	return start(fold128(text.first^t.random, text.rest^phi), len(t.slots))
}

// roomy is the number of texts up to which three of four slots stay free, so that a lookup rarely
// probes a second one: the processor can't predict how many it probes.
const roomy = 1000

// addLast adds the last of texts, which must not be in the table. All others after the first
// must be.
func (t *textTable) addLast(texts []string) {
	n := len(texts)
	if n <= roomy && 4*n > len(t.slots) {
		t.grow(texts, 8*n)
	} else if 2*n > len(t.slots) {
		t.grow(texts, 4*n)
	}
	t.put(texts, uint32(n-1))
}

// grow makes a number of slots, for all texts but the last.
func (t *textTable) grow(texts []string, slots int) {
	t.slots = make([]textSlot, slots)
	for i := 1; i < len(texts)-1; i++ {
		t.put(texts, uint32(i))
	}
}

func (t *textTable) put(texts []string, index uint32) {
	if text := texts[index]; len(text) > maxShortID {
		t.slots[t.searchLong(texts, text)] = textSlot{shortID{hashText(text, t.random), longText}, index}
	} else {
		id := newShortID(text)
		t.slots[t.search(id)] = textSlot{id, index}
	}
}
