// Writes matches.txt: patterns and texts put together at random, and whether Go finds the one in the other.
// Run it with `go run answers.go > matches.txt`; it is no part of the program.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"regexp"
	"strings"
)

var leaves = []string{
	"a", "b", "Z", "_", "é", "K", "ß", "σ", "ab", ".", `\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\.`, `\x{41}`, `\x62`, `\101`, `\n`, `\t`,
	"[a-c]", "[^a-c]", "[A-Z_]", "[]x]", "[^]x]", "[-.]", `[\d_]`, `[\W\n]`, `[^\s]`, "[[:alpha:]]", "[[:^alpha:]]", "[[:upper:]b]",
	"[[:punct:]]", "[[:space:]]", "[^[:word:]]", "[[:xdigit:][:blank:]]", `\pL`, `\PL`, `\p{Lu}`, `\P{^Nd}`, `\p{Greek}`, `[\p{Greek}é]`,
	`\p{Nd}`, "^", "$", `\A`, `\z`, `\b`, `\B`, `\Qa.b\E`, `\Q.`, "{", "}", "a{,2}", "x{2,1", "-", "]", ":",
}

var texts = []string{
	"", "a", "A", "b", "ab", "aB", "AAB", "abc", "xyz", "x", "ba_9", "9", "42 42", "a b", "a\nb", "\n", "a\n", "\nb\n", " ", "\t", "\v",
	"a.b", "A.B", ".", "-", "_", "]", "{", "}", "a{,2}", "é", "É", "ß", "ẞ", "σ", "ς", "Σ", "λόγος", "K", "k", "ſ", "S", "naïve é", "日本",
	"ThisIsValue", "x86_64", "key=value; other:1", "  lead", "trail  ", "zzzzzz", "ababab", "aé9_Σ",
}

func piece(r *rand.Rand, depth int) string {
	if depth == 0 || r.Intn(3) == 0 {
		return leaves[r.Intn(len(leaves))]
	}
	inner := func() string { return piece(r, depth-1) }
	switch r.Intn(11) {
	case 0:
		return "(" + inner() + ")"
	case 1:
		return "(?:" + inner() + "|" + inner() + ")"
	case 2:
		return "(?:" + inner() + ")" + []string{"*", "+", "?", "*?", "+?", "??"}[r.Intn(6)]
	case 3:
		return "(?:" + inner() + ")" + []string{"{2}", "{0}", "{1,3}", "{2,}", "{0,2}?"}[r.Intn(5)]
	case 4:
		return "(" + []string{"?i:", "?-i:", "?s:", "?m:", "?ms-i:", "?U:"}[r.Intn(6)] + inner() + ")"
	case 5:
		return []string{"(?i)", "(?-i)", "(?s)", "(?m)", "(?U)"}[r.Intn(5)] + inner()
	case 6:
		return inner() + "|" + inner()
	case 7:
		return inner() + []string{"*", "+", "?"}[r.Intn(3)]
	default:
		return inner() + inner()
	}
}

func main() {
	r := rand.New(rand.NewSource(4))
	seen := map[string]bool{}
	yes, no := 0, 0
	for yes+no < 900 {
		pattern, text := piece(r, 4), texts[r.Intn(len(texts))]
		compiled, err := regexp.Compile("(?i)" + pattern)
		key := pattern + "\x00" + text
		if err != nil || seen[key] || len(pattern) > 60 {
			continue
		}
		answer := compiled.MatchString(text)
		if (answer && yes >= 450) || (!answer && no >= 450) {
			continue
		}
		seen[key] = true
		if answer {
			yes++
		} else {
			no++
		}
		var line strings.Builder
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if encoder.Encode([]any{pattern, text, answer}) == nil {
			fmt.Print(line.String())
		}
	}
}
