package certs

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Rules turn the name in a certificate into a user's, as ssl.principal.mapping.rules says:
//
//	RULE:^CN=([^,]+),.*$/$1/L,DEFAULT
//
// The first rule whose pattern is the whole name counts; L and U at its end make lower and upper case of the result.
// DEFAULT is the name as it is. Patterns are those of Go's regexp.
type Rules []nameRule

type nameRule struct {
	pattern *regexp.Regexp // nil: DEFAULT
	replace string
	letters string // "", "L" or "U"
}

// ParseRules reads the setting's value; an empty one is DEFAULT.
func ParseRules(text string) (Rules, error) {
	var rules Rules
	rest := strings.TrimSpace(text)
	for rest != "" {
		var rule nameRule
		var err error
		if after, ok := strings.CutPrefix(rest, "DEFAULT"); ok {
			rest = after
		} else if rule, rest, err = parseRule(rest); err != nil {
			return nil, fmt.Errorf("rule %d: %w", len(rules)+1, err)
		}
		rules = append(rules, rule)
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			break
		}
		if rest[0] != ',' && rest[0] != '\n' {
			return nil, fmt.Errorf("rule %d: a comma must follow it", len(rules))
		}
		rest = strings.TrimSpace(rest[1:])
	}
	if len(rules) == 0 {
		rules = Rules{{}}
	}
	return rules, nil
}

// parseRule reads RULE:pattern/replacement/ and its letter.
func parseRule(text string) (rule nameRule, rest string, err error) {
	text, ok := strings.CutPrefix(text, "RULE:")
	if !ok {
		return rule, "", errors.New("it must be DEFAULT or RULE:pattern/replacement/[LU]")
	}
	pattern, text, ok := toSlash(text)
	if !ok {
		return rule, "", errors.New("the / behind the pattern is missing")
	}
	if rule.replace, text, ok = toSlash(text); !ok {
		return rule, "", errors.New("the / behind the replacement is missing")
	}
	if rule.pattern, err = regexp.Compile(`^(?:` + pattern + `)$`); err != nil {
		return rule, "", err
	}
	if text != "" && (text[0] == 'L' || text[0] == 'U') {
		rule.letters, text = text[:1], text[1:]
	}
	return rule, text, nil
}

// toSlash cuts at the first / that has no \ before it.
func toSlash(s string) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '/':
			return strings.ReplaceAll(s[:i], `\/`, "/"), s[i+1:], true
		}
	}
	return "", "", false
}

// Apply gives the user's name for the name in a certificate.
func (r Rules) Apply(name string) (string, error) {
	for _, rule := range r {
		if rule.pattern == nil {
			return name, nil
		}
		found := rule.pattern.FindStringSubmatch(name)
		if found == nil {
			continue
		}
		user := expand(rule.replace, found)
		switch rule.letters {
		case "L":
			user = strings.ToLower(user)
		case "U":
			user = strings.ToUpper(user)
		}
		if user == "" {
			return "", fmt.Errorf("ssl.principal.mapping.rules make an empty user of %q", name)
		}
		return user, nil
	}
	return "", fmt.Errorf("no rule of ssl.principal.mapping.rules is about %q", name)
}

// expand puts groups in place of $1 and the like, the way Java does: as many digits as there are groups for.
func expand(template string, groups []string) string {
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		c := template[i]
		switch {
		case c == '\\' && i+1 < len(template):
			i++
			b.WriteByte(template[i])
		case c == '$' && i+1 < len(template) && isDigit(template[i+1]):
			i++
			n := int(template[i] - '0')
			for i+1 < len(template) && isDigit(template[i+1]) && n*10+int(template[i+1]-'0') < len(groups) {
				i++
				n = n*10 + int(template[i]-'0')
			}
			if n < len(groups) {
				b.WriteString(groups[n])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
