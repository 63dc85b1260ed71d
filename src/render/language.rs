//! What a template may say: a small part of the template language, so that no template can be
//! endless work and no value can become structure.
//!
//! There are conditions, loops, named values, and partials; no macros, blocks or captured text. A
//! value stands alone where YAML expects one, because it is written as JSON. And no text may be
//! built of too many others: doubling one forty times would fill any memory.

use std::collections::BTreeMap;

/// The longest template, in bytes.
pub(super) const LONGEST: usize = 64 << 10;
/// The longest tag, in bytes.
const LONGEST_TAG: usize = 2 << 10;
/// Of how many values one text may be built.
const MOST_PIECES: u32 = 32;

/// What a template may not say, where, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where, in bytes from the start.
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) help: &'static str,
}

const TAGS: &[&str] = &[
    "if", "elif", "else", "endif", "for", "endfor", "break", "continue", "set", "with", "endwith",
    "include",
];

/// Words of expressions that are not values.
const WORDS: &[&str] = &[
    "if", "else", "in", "is", "not", "and", "or", "true", "false", "none", "True", "False", "None",
    "loop",
];

/// Checks a template, and returns the partials it includes.
pub(super) fn check(source: &str) -> Result<Vec<&str>, Refusal> {
    let mut pieces = BTreeMap::new();
    let mut includes = Vec::new();
    let mut from = 0;
    while let Some(tag) = next_tag(source, from)? {
        if tag.kind != Kind::Comment && tag.end - tag.start > LONGEST_TAG {
            let message = format!("this tag is longer than {LONGEST_TAG} bytes");
            return Err(tag.refused(message, "use several, with `set`"));
        }
        match tag.kind {
            Kind::Comment => {}
            Kind::Value => {
                stands_alone(source, &tag)?;
                weigh(&tag, &tag.tokens, &pieces)?;
            }
            Kind::Statement => statement(&tag, &mut pieces, &mut includes)?,
        }
        from = tag.end;
    }
    Ok(includes)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value,
    Statement,
    Comment,
}

struct Tag<'source> {
    kind: Kind,
    start: usize,
    end: usize,
    tokens: Vec<Token<'source>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'source> {
    Word(&'source str),
    Text(&'source str),
    Sign(u8),
}

impl Tag<'_> {
    fn refused(&self, message: impl Into<String>, help: &'static str) -> Refusal {
        Refusal { at: self.start, message: message.into(), help }
    }
}

fn next_tag(source: &str, from: usize) -> Result<Option<Tag<'_>>, Refusal> {
    let bytes = source.as_bytes();
    let opens = |pair: &[u8]| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#');
    let Some(start) = bytes[from..].windows(2).position(opens).map(|at| from + at) else {
        return Ok(None);
    };
    let unclosed = |close: &str| Refusal {
        at: start,
        message: format!("what is opened here is not closed with `{close}`"),
        help: "close it",
    };
    let (kind, close) = match bytes[start + 1] {
        b'{' => (Kind::Value, "}}"),
        b'%' => (Kind::Statement, "%}"),
        _ => {
            let length = source[start..].find("#}").ok_or_else(|| unclosed("#}"))?;
            let end = start + length + 2;
            return Ok(Some(Tag { kind: Kind::Comment, start, end, tokens: Vec::new() }));
        }
    };
    let (tokens, end) = tokens(source, start + 2, close).ok_or_else(|| unclosed(close))?;
    Ok(Some(Tag { kind, start, end, tokens }))
}

/// The tokens up to the closing mark, and where that is over.
fn tokens<'source>(
    source: &'source str,
    mut at: usize,
    close: &str,
) -> Option<(Vec<Token<'source>>, usize)> {
    let bytes = source.as_bytes();
    let mut tokens = Vec::new();
    let mut braces = 0_usize;
    loop {
        let byte = *bytes.get(at)?;
        if braces == 0 && bytes[at..].starts_with(close.as_bytes()) {
            return Some((tokens, at + close.len()));
        }
        let length = match byte {
            b'"' | b'\'' => {
                let length = text_length(&bytes[at..])?;
                tokens.push(Token::Text(&source[at + 1..at + length - 1]));
                length
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii() => {
                let word =
                    |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
                let length = bytes[at..].iter().take_while(|byte| word(byte)).count();
                tokens.push(Token::Word(&source[at..at + length]));
                length
            }
            _ if byte.is_ascii_whitespace() || byte.is_ascii_digit() => 1,
            _ => {
                braces = match byte {
                    b'{' => braces + 1,
                    b'}' => braces.saturating_sub(1),
                    _ => braces,
                };
                tokens.push(Token::Sign(byte));
                1
            }
        };
        at += length;
    }
}

/// How long a quoted text is, with its quotes.
fn text_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == bytes[0] => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// A value is written as JSON, so it must stand where YAML expects a value, and nothing beside it.
fn stands_alone(source: &str, tag: &Tag<'_>) -> Result<(), Refusal> {
    let line_start = source[..tag.start].rfind('\n').map_or(0, |newline| newline + 1);
    let before = source[line_start..tag.start].trim_end_matches(' ');
    let after = source[tag.end..].split('\n').next().unwrap_or("").trim_start_matches(' ');
    if before.trim_start().starts_with('#') {
        return Ok(());
    }
    let spaced = before.len() < tag.start - line_start;
    let may_start = match before.bytes().next_back() {
        None => !inside_quotes(&source[..line_start]),
        Some(b'[' | b'{' | b',' | b'}') => !before.ends_with("}}"),
        Some(b':' | b'-') => spaced,
        Some(_) => false,
    };
    let may_end = match after.bytes().next() {
        None | Some(b']' | b'}' | b',' | b':' | b'#') => true,
        Some(b'{') => !after.starts_with("{{"),
        Some(_) => false,
    };
    if may_start && may_end {
        return Ok(());
    }
    Err(tag.refused(
        "a value must stand alone: it is written as JSON, with its quotes",
        "build the text inside, as in `{{ name ~ \"-data\" }}`",
    ))
}

/// Whether a quoted text that began on an earlier line goes on. Single quotes need no thought:
/// no value brings one along.
fn inside_quotes(before: &str) -> bool {
    let lines = before.lines().filter(|line| !line.trim_start().starts_with('#'));
    let quotes = |text: &str| text.matches('"').count();
    let outside_tags = lines.flat_map(outside_tags).map(quotes).sum::<usize>();
    outside_tags % 2 == 1
}

/// The parts of a line that are not inside of tags.
pub(super) fn outside_tags(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    loop {
        let open = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min();
        let Some(open) = open else { break };
        parts.push(&rest[..open]);
        let close = ["}}", "%}", "#}"].iter().filter_map(|close| rest[open..].find(close)).min();
        rest = close.map_or("", |close| &rest[open + close + 2..]);
    }
    parts.push(rest);
    parts
}

fn statement<'source>(
    tag: &Tag<'source>,
    pieces: &mut BTreeMap<&'source str, u32>,
    includes: &mut Vec<&'source str>,
) -> Result<(), Refusal> {
    // `{%- if` and `{%+ if` begin with a sign.
    let tokens: Vec<Token<'source>> = tag
        .tokens
        .iter()
        .copied()
        .skip_while(|token| matches!(token, Token::Sign(b'-' | b'+')))
        .collect();
    let Some(Token::Word(word)) = tokens.first() else {
        return Err(tag.refused("this is not a statement", "begin with a word such as `if`"));
    };
    if !TAGS.contains(word) {
        let message = format!("templates here have no `{word}`");
        return Err(tag.refused(message, "use `if`, `for`, `set`, `with` or `include`"));
    }
    let equals = tokens.iter().position(|token| *token == Token::Sign(b'='));
    // What is named here is not a part of what it names.
    let named = match *word {
        "for" => tokens.iter().position(|token| *token == Token::Word("in")),
        "set" | "with" => equals,
        _ => None,
    };
    let mut values = &tokens[named.unwrap_or(0)..];
    // The condition of a loop chooses values, and is no part of them.
    let condition = values.iter().position(|token| *token == Token::Word("if"));
    if let Some(condition) = condition
        && *word == "for"
        && !values.contains(&Token::Word("else"))
    {
        values = &values[..condition];
    }
    let weight = weigh(tag, values, pieces)?.max(1);
    match *word {
        "include" => match tokens.get(1..) {
            Some([Token::Text(name), rest @ ..])
                if rest.iter().all(|token| *token == Token::Sign(b'-')) =>
            {
                includes.push(name);
            }
            _ => {
                let help = "write its name out, in quotes";
                return Err(tag.refused("a partial is included by its name", help));
            }
        },
        "set" if equals.is_none() => {
            let help = "write `{% set name = … %}`";
            return Err(tag.refused("captured text could become structure", help));
        }
        "set" | "with" => {
            // Every word before an `=` gets a name of its own; more names than needed do no harm.
            for pair in tokens.windows(2) {
                if let [Token::Word(name), Token::Sign(b'=' | b',')] = pair {
                    name_weighs(pieces, name, weight);
                }
            }
        }
        "for" => {
            for token in &tokens[1..named.unwrap_or(1)] {
                if let Token::Word(name) = token {
                    name_weighs(pieces, name, weight);
                }
            }
            if tokens.contains(&Token::Word("recursive")) {
                return Err(tag.refused("a loop may not call itself", "write the levels out"));
            }
        }
        _ => {}
    }
    Ok(())
}

fn name_weighs<'source>(pieces: &mut BTreeMap<&'source str, u32>, name: &'source str, weight: u32) {
    let known = pieces.entry(name).or_default();
    *known = weight.max(*known);
}

/// Of how many values at most a text built here would consist.
fn weigh(
    tag: &Tag<'_>,
    tokens: &[Token<'_>],
    pieces: &BTreeMap<&str, u32>,
) -> Result<u32, Refusal> {
    let mut weight = 0_u32;
    let mut before = Token::Sign(b' ');
    let mut open = Vec::new();
    for token in tokens {
        match token {
            Token::Sign(bracket @ (b'(' | b'[' | b'{')) => open.push(*bracket),
            Token::Sign(b')' | b']' | b'}') => drop(open.pop()),
            // The language's own reading of `""[::-1]` is a panic.
            Token::Sign(b':') if open.last() == Some(&b'[') => {
                return Err(tag.refused("there are no slices here", "use `first` or `last`"));
            }
            Token::Sign(b'*') => {
                return Err(tag.refused("there is no `*` here", "write the product out"));
            }
            Token::Word(word)
                if before != Token::Sign(b'.')
                    && before != Token::Sign(b'|')
                    && !WORDS.contains(word) =>
            {
                weight = weight.saturating_add(pieces.get(word).copied().unwrap_or(1));
            }
            _ => {}
        }
        before = *token;
    }
    if weight > MOST_PIECES {
        let message = format!("a text of {weight} values is built here; the most is {MOST_PIECES}");
        return Err(tag.refused(message, "build a shorter one"));
    }
    Ok(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(source: &str, says: &str) {
        let refusal = check(source).expect_err("a refusal");
        assert!(refusal.message.contains(says), "{refusal:?}");
    }

    #[test]
    fn a_plain_template_passes() {
        let source = "{# why #}\nname: {{ a.b ~ \"-x\" }}\n{%- for k, v in m | items if v %}\n- {{ k }}: {{ v }}\n  l: [{{ a }}, {{ b }}]\n  m: {x: {{ {\"a\": {\"b\": 1}} }}}\n{%- endfor %}\n{% set x = a ~ b %}{% include \"_part.yaml\" %}\n";
        assert_eq!(check(source), Ok(vec!["_part.yaml"]));
    }

    #[test]
    fn a_value_in_the_middle_of_a_word_is_refused() {
        for source in [
            "name: x-{{ a }}\n",
            "name: \"{{ a }}\"\n",
            "name: {{ a }}-x\n",
            "name: {{ a }}{{ b }}\n",
            "x {{ a }}\n",
            "-{{ a }}\n",
        ] {
            refused(source, "alone");
        }
    }

    #[test]
    fn macros_captured_text_and_raw_text_are_refused() {
        for word in [
            "macro f()",
            "call f()",
            "block b",
            "filter upper",
            "raw",
            "autoescape false",
            "import \"x\" as y",
            "extends \"x\"",
        ] {
            refused(&format!("{{% {word} %}}"), "have no");
        }
        refused("{% set x %}text{% endset %}", "captured");
        refused("{% include name %}", "by its name");
        refused("{% for x in y recursive %}", "call itself");
    }

    #[test]
    fn a_text_that_grows_without_end_is_refused() {
        refused(&"{% set a = a ~ a %}".repeat(40), "values is built");
        refused("{{ \"x\" * 100000000 }}", "no `*`");
        refused("{{ a[::-1] }}", "no slices");
        refused(&"{% for a in [a ~ a ~ a] %}".repeat(8), "values is built");
    }

    #[test]
    fn a_name_may_be_used_again_and_again() {
        let again =
            "{% for x in xs if x.y == z %}{% set y = x %}{% with a = y %}{% endwith %}{% endfor %}";
        assert!(check(&again.repeat(100)).is_ok());
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for source in ["{{ a", "{% if a", "{# a", "{{ \"a }}", "{{ {\"a\": 1 }}"] {
            refused(source, "not closed");
        }
    }
}
