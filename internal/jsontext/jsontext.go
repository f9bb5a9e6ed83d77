// Package jsontext reads JSON objects and arrays one level at a time, in one pass
// and without allocating. It is for requests from outside: encoding/json reads a body
// four times before the first member can be looked at and refused, which lets small
// requests take a lot of CPU time.
//
// It accepts exactly the documents that [encoding/json.Valid] accepts, up to
// [MaxDepth] levels.
package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be nested in each other.
const MaxDepth = 1000

// ErrKind is the error of [Object] if data starts with another kind of value than an
// object, and of [Array] if it doesn't start with an array.
var ErrKind = errors.New("the value has another type")

// A SyntaxError is the error for data that isn't valid JSON. It doesn't quote the data.
type SyntaxError struct {
	// Offset is how many bytes were read before the error.
	Offset int
	// Problem is what is wrong, such as "the JSON ends too early".
	Problem string
}

func (e *SyntaxError) Error() string { return e.Problem }

// Object calls member with the name and the value of every member of a JSON object, in
// their order and including duplicates. Both are valid JSON: the name still has its
// quotation marks, and [Text] decodes it. They share memory with data.
//
// Object stops at the first error of member and returns it. As data is checked on the
// way, members that precede a syntax error have been passed to member by then.
func Object(data []byte, member func(name, value []byte) error) error {
	s := scanner{data: data}
	if s.space(); s.peek() != '{' {
		return ErrKind
	}
	return s.document(func() error { return s.members(1, member) })
}

// Array calls element with every element of a JSON array, as [Object] does with members.
func Array(data []byte, element func(value []byte) error) error {
	s := scanner{data: data}
	if s.space(); s.peek() != '[' {
		return ErrKind
	}
	return s.document(func() error { return s.elements(1, element) })
}

// Text returns the text that a valid JSON string stands for. What isn't UTF-8 is replaced
// by U+FFFD, as encoding/json does.
func Text(value []byte) string {
	inner := value[1 : len(value)-1]
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			var text string
			if json.Unmarshal(value, &text) != nil {
				return "" // not reached: value is valid
			}
			return text
		}
	}
	return string(inner)
}

// A scanner reads values from data. Its methods expect that the next byte is the first
// of what they read.
type scanner struct {
	data []byte
	at   int
}

// document reads a value and makes sure that nothing follows.
func (s *scanner) document(value func() error) error {
	if err := value(); err != nil {
		return err
	}
	if s.space(); s.at < len(s.data) {
		return &SyntaxError{s.at, "there is something after the end of the JSON"}
	}
	return nil
}

// malformed returns the error for the byte at the cursor.
func (s *scanner) malformed() error {
	if s.at >= len(s.data) {
		return &SyntaxError{s.at, "the JSON ends too early"}
	}
	return &SyntaxError{s.at, fmt.Sprintf("the JSON is malformed near byte %d", s.at)}
}

// peek returns the next byte, or 0 at the end, which is no part of any syntax.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// consume reads c and the space on both sides of it, or leaves the cursor before c's place.
func (s *scanner) consume(c byte) bool {
	if s.space(); s.peek() != c {
		return false
	}
	s.at++
	s.space()
	return true
}

// value reads one value inside of depth arrays and objects.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{' && depth < MaxDepth:
		return s.members(depth+1, nil)
	case c == '[' && depth < MaxDepth:
		return s.elements(depth+1, nil)
	case c == '"':
		return s.text()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || isDigit(c):
		return s.number()
	}
	return s.malformed()
}

func (s *scanner) members(depth int, member func(name, value []byte) error) error {
	if s.at++; s.consume('}') {
		return nil
	}
	for {
		name := s.at
		if s.peek() != '"' {
			return s.malformed()
		}
		if err := s.text(); err != nil {
			return err
		}
		nameEnd := s.at
		if !s.consume(':') {
			return s.malformed()
		}
		value := s.at
		if err := s.value(depth); err != nil {
			return err
		}
		if member != nil {
			if err := member(s.data[name:nameEnd], s.data[value:s.at]); err != nil {
				return err
			}
		}
		if s.consume('}') {
			return nil
		}
		if !s.consume(',') {
			return s.malformed()
		}
	}
}

func (s *scanner) elements(depth int, element func(value []byte) error) error {
	if s.at++; s.consume(']') {
		return nil
	}
	for {
		value := s.at
		if err := s.value(depth); err != nil {
			return err
		}
		if element != nil {
			if err := element(s.data[value:s.at]); err != nil {
				return err
			}
		}
		if s.consume(']') {
			return nil
		}
		if !s.consume(',') {
			return s.malformed()
		}
	}
}

func (s *scanner) text() error {
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c < ' ':
			return s.malformed()
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.malformed()
}

// escape reads an escape sequence except for its last byte.
func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.at++
			if c := s.peek(); !isDigit(c) && (c|0x20 < 'a' || 'f' < c|0x20) {
				return s.malformed()
			}
		}
		return nil
	}
	return s.malformed()
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.malformed()
		}
		s.at++
	}
	return nil
}

// number reads a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.at++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.peek()|0x20 == 'e' {
		if s.at++; s.peek() == '+' || s.peek() == '-' {
			s.at++
		}
		return s.digits()
	}
	return nil
}

// digits reads one digit or more.
func (s *scanner) digits() error {
	if !isDigit(s.peek()) {
		return s.malformed()
	}
	for isDigit(s.peek()) {
		s.at++
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
