package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readProperties reads a file in Java's properties format, as Kafka's server.properties is, and says in which line each
// setting is; without a path there is nothing in it.
func readProperties(path string) (settings map[string]string, places map[string]string, err error) {
	settings, places = map[string]string{}, map[string]string{}
	if path == "" {
		return settings, places, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, usageErrorf("reading --properties: %w", err)
	}
	settings, lines, err := parseProperties(string(data))
	if err != nil {
		return nil, nil, fmt.Errorf("reading --properties %s: %w", path, err)
	}
	for name, line := range lines {
		places[name] = fmt.Sprintf("%s line %d", path, line)
	}
	return settings, places, nil
}

// parseProperties reads NAME=VALUE lines, with : or blanks in place of = too. Lines that begin with # or ! are
// comments, a backslash at a line's end joins the next one, and within a line it takes the meaning from what follows or
// begins one of \t \n \r \f \uXXXX. Of a name that comes twice the last counts. A name without a value is refused: it
// is a slip more often than a wish. lineOf says where each name was.
func parseProperties(text string) (settings map[string]string, lineOf map[string]int, err error) {
	settings, lineOf = map[string]string{}, map[string]int{}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for n := 0; n < len(lines); n++ {
		first := n + 1
		line := strings.TrimLeft(lines[n], blanks)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continues(line) {
			line = line[:len(line)-1]
			if n++; n == len(lines) {
				break
			}
			line += strings.TrimLeft(lines[n], blanks)
		}
		name, value, found := cutProperty(line)
		if !found || name == "" {
			return nil, nil, fmt.Errorf("line %d: must be NAME=VALUE", first)
		}
		if name, err = unescape(name); err == nil {
			value, err = unescape(value)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", first, err)
		}
		settings[name], lineOf[name] = strings.TrimRight(value, blanks), first
	}
	return settings, lineOf, nil
}

const blanks = " \t\f"

// continues says whether a line goes on in the next: an odd number of backslashes ends it.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// cutProperty cuts a line at the first =, : or blank that no backslash protects.
func cutProperty(line string) (name, value string, found bool) {
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case strings.IndexByte("=:"+blanks, line[i]) >= 0:
			rest := strings.TrimLeft(line[i:], blanks)
			if rest != "" && (rest[0] == '=' || rest[0] == ':') {
				return line[:i], strings.TrimLeft(rest[1:], blanks), true
			}
			return line[:i], rest, rest != ""
		}
	}
	return line, "", false
}

// unescape gives backslashes their meaning.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break // nothing follows
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			code, err := strconv.ParseUint(s[i+1:min(i+5, len(s))], 16, 16)
			if err != nil || i+5 > len(s) {
				return "", fmt.Errorf(`\u must be followed by four hexadecimal digits`)
			}
			b.WriteRune(orReplacement(rune(code)))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// orReplacement is a rune, or the sign for one that is none by itself.
func orReplacement(r rune) rune {
	if !utf8.ValidRune(r) {
		return utf8.RuneError
	}
	return r
}
