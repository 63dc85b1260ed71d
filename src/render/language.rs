//! What a template may say: a small part of the template language, so that no template can be
//! endless work and no value can become structure.
//!
//! There are conditions, loops, named values, and partials; no macros, blocks or captured text. A
//! value stands alone where YAML expects one, because it is written as JSON. No text may be built
//! of too many others: doubling one forty times would fill any memory. And no value may be put into
//! another too often: whoever writes or drops it goes down all its levels, and has only so much stack.

use std::collections::BTreeMap;

/// The longest template, in bytes.
pub(super) const LONGEST: usize = 64 << 10;
/// The longest tag, in bytes.
const LONGEST_TAG: usize = 2 << 10;
/// Of how many values one text may be built.
const MOST_PIECES: u32 = 32;
/// How deep one value may be built into others.
const DEEPEST: u32 = 48;

/// What a value may have become at most by what was said before.
#[derive(Clone, Copy, Default)]
struct Built {
    /// Of how many values its text consists.
    pieces: u32,
    /// How many lists and maps it stands in.
    depth: u32,
}

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

/// Words of expressions that stand between values. The language would take them for names, too.
const OPERATORS: &[&str] = &["if", "else", "in", "is", "not", "and", "or"];
/// Values that are built of nothing. The language lets nobody name another one so.
const CONSTANTS: &[&str] = &["true", "false", "none", "True", "False", "None", "loop"];

/// What a template says to others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said<'source> {
    /// The partials it includes.
    pub(super) includes: Vec<&'source str>,
    /// Whether it uses `set`: what it names so, whoever includes it has afterwards.
    pub(super) sets: bool,
}

/// What a template becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Documents of YAML: each value is written as JSON, where YAML expects one.
    Documents,
    /// The text of a file, in whichever language: each value is written as it is.
    Text,
}

/// Checks a template.
pub(super) fn check(source: &str, form: Form) -> Result<Said<'_>, Refusal> {
    let mut known = BTreeMap::new();
    let mut said = Said::default();
    let mut from = 0;
    while let Some(tag) = next_tag(source, from)? {
        if tag.kind != Kind::Comment && tag.end - tag.start > LONGEST_TAG {
            let message = format!("this tag is longer than {LONGEST_TAG} bytes");
            return Err(tag.refused(message, "use several, with `set`"));
        }
        refused_signs(&tag)?;
        match tag.kind {
            Kind::Comment => {}
            Kind::Value => {
                if form == Form::Documents {
                    stands_alone(source, &tag)?;
                }
                weigh(&tag, &tag.tokens, &known)?;
            }
            Kind::Statement => statement(&tag, &mut known, &mut said)?,
        }
        from = tag.end;
    }
    Ok(said)
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
            // The mark that opens it is over before the one that closes it: `{#}` closes nothing.
            let length = source[start + 2..].find("#}").ok_or_else(|| unclosed("#}"))?;
            let end = start + 2 + length + 2;
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
    known: &mut BTreeMap<&'source str, Built>,
    said: &mut Said<'source>,
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
    let built = weigh(tag, values, known)?;
    match *word {
        "include" => match tokens.get(1..) {
            Some([Token::Text(name), rest @ ..])
                if rest.iter().all(|token| *token == Token::Sign(b'-')) =>
            {
                said.includes.push(name);
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
            said.sets |= *word == "set";
            // A name in brackets would get its value unseen.
            let hidden = |three: &[Token<'_>]| {
                matches!(three[..2], [Token::Sign(b')' | b']'), Token::Sign(b'=')])
                    && three[2] != Token::Sign(b'=')
            };
            let bracket = |token: &Token<'_>| matches!(token, Token::Sign(b'(' | b'['));
            let among_names = *word == "set" && tokens[..equals.unwrap_or(0)].iter().any(bracket);
            if among_names || tokens.windows(3).any(hidden) {
                return Err(tag.refused("a name stands in brackets here", "leave them out"));
            }
            // Every word before an `=` gets a name of its own; more names than needed do no harm.
            for pair in tokens.windows(2) {
                if let [Token::Word(name), Token::Sign(b'=' | b',')] = pair {
                    name_is(tag, known, name, built)?;
                }
            }
        }
        "for" => {
            for token in &tokens[1..named.unwrap_or(1)] {
                if let Token::Word(name) = token {
                    name_is(tag, known, name, built)?;
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

fn name_is<'source>(
    tag: &Tag<'source>,
    known: &mut BTreeMap<&'source str, Built>,
    name: &'source str,
    built: Built,
) -> Result<(), Refusal> {
    if OPERATORS.contains(&name) {
        return Err(tag.refused(format!("`{name}` cannot be a name"), "choose another"));
    }
    let known = known.entry(name).or_default();
    known.pieces = built.pieces.max(1).max(known.pieces);
    known.depth = built.depth.max(known.depth);
    Ok(())
}

/// Refuses what no tag may say anywhere.
fn refused_signs(tag: &Tag<'_>) -> Result<(), Refusal> {
    let mut open = Vec::new();
    for token in &tag.tokens {
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
            _ => {}
        }
    }
    Ok(())
}

/// What a value built here may be at most.
fn weigh(
    tag: &Tag<'_>,
    tokens: &[Token<'_>],
    known: &BTreeMap<&str, Built>,
) -> Result<Built, Refusal> {
    let (mut pieces, mut depth, mut around) = (0_u32, 0_u32, 0_u32);
    let mut before = Token::Sign(b' ');
    let mut open = Vec::new();
    for token in tokens {
        match token {
            Token::Sign(bracket @ (b'(' | b'[' | b'{')) => {
                open.push(*bracket);
                depth = depth.max(nested(&open));
            }
            Token::Sign(b')' | b']' | b'}') => drop(open.pop()),
            // `a, b` is a list; `items` makes a list of lists where there was a map.
            Token::Sign(b',') if open.is_empty() => around += 1,
            Token::Sign(b'|') => around += 1,
            Token::Word(word)
                if before != Token::Sign(b'.')
                    && before != Token::Sign(b'|')
                    && !OPERATORS.contains(word)
                    && !CONSTANTS.contains(word) =>
            {
                let built = known.get(word).copied().unwrap_or(Built { pieces: 1, depth: 0 });
                pieces = pieces.saturating_add(built.pieces);
                depth = depth.max(nested(&open).saturating_add(built.depth));
            }
            _ => {}
        }
        before = *token;
    }
    if pieces > MOST_PIECES {
        let message = format!("a text of {pieces} values is built here; the most is {MOST_PIECES}");
        return Err(tag.refused(message, "build a shorter one"));
    }
    depth = depth.saturating_add(around);
    if depth > DEEPEST {
        let message = format!("a value of {depth} levels is built here; the most is {DEEPEST}");
        return Err(tag.refused(message, "build a flatter one"));
    }
    Ok(Built { pieces, depth })
}

/// How many lists and maps are open: `(a,)` is a list, too.
fn nested(open: &[u8]) -> u32 {
    u32::try_from(open.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(source: &str, says: &str) {
        let refusal = check(source, Form::Documents).expect_err("a refusal");
        assert!(refusal.message.contains(says), "{refusal:?}");
    }

    #[test]
    fn a_plain_template_passes() {
        let source = "{# why #}\nname: {{ a.b ~ \"-x\" }}\n{%- for k, v in m | items if v %}\n- {{ k }}: {{ v }}\n  l: [{{ a }}, {{ b }}]\n  m: {x: {{ {\"a\": {\"b\": 1}} }}}\n{%- endfor %}\n{% set x = a ~ b %}{% include \"_part.yaml\" %}\n";
        let said = Said { includes: vec!["_part.yaml"], sets: true };
        assert_eq!(check(source, Form::Documents), Ok(said));
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
        refused("{% for a in b if \"\"[::-1] %}", "no slices");
        refused("{% for a in b if a * 9 %}", "no `*`");
        refused(&"{% for a in [a ~ a ~ a] %}".repeat(8), "values is built");
    }

    #[test]
    fn a_value_that_gets_deeper_without_end_is_refused() {
        refused(&"{% set a = [a] %}".repeat(60), "levels is built");
        refused(&"{% with a = {\"a\": [a]} %}".repeat(30), "levels is built");
        refused(&"{% for a in [[a]] %}".repeat(30), "levels is built");
        refused(&"{% set a = (a,) %}".repeat(60), "levels is built");
        refused(&"{% set a = a, %}".repeat(60), "levels is built");
        refused(&"{% set a = {\"a\": a} | items %}".repeat(30), "levels is built");
        refused(&format!("{{{{ {}{} }}}}", "[".repeat(60), "]".repeat(60)), "levels is built");
        assert!(check(&"{% set a = [a] %}".repeat(40), Form::Documents).is_ok());
        assert!(check(&"{% set a = [b] %}".repeat(400), Form::Documents).is_ok());
    }

    #[test]
    fn no_name_escapes_by_what_it_is_called_or_where_it_stands() {
        for operator in ["and", "or", "is", "if", "else"] {
            refused(&format!("{{% set {operator} = a %}}"), "cannot be a name");
            refused(&format!("{{% with b = 1, {operator} = a %}}"), "cannot be a name");
            refused(&format!("{{% for {operator} in a %}}"), "cannot be a name");
        }
        refused("{% set (a) = a ~ a %}", "in brackets");
        refused("{% set a, (b) = a %}", "in brackets");
        refused("{% with b = 1, (a) = a ~ a %}", "in brackets");
        refused("{% set (a), b = a, b %}", "in brackets");
        assert!(
            check(
                "{% set a = (b) == c %}{% with d = (b), e = true, f = [c] != b %}",
                Form::Documents
            )
            .is_ok()
        );
    }

    #[test]
    fn a_comment_ends_where_the_language_ends_it() {
        // Taken for a whole comment, `{#}` would leave the text behind it to be read as quoted.
        refused("{#} {{ \" #} {{ \"\"[::-1] }} \" }}", "no slices");
        refused("{#}", "not closed");
        assert_eq!(check("{##}{# {{ #}\n", Form::Documents), Ok(Said::default()));
    }

    #[test]
    fn a_name_may_be_used_again_and_again() {
        let again =
            "{% for x in xs if x.y == z %}{% set y = x %}{% with a = y %}{% endwith %}{% endfor %}";
        assert!(check(&again.repeat(100), Form::Documents).is_ok());
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for source in ["{{ a", "{% if a", "{# a", "{{ \"a }}", "{{ {\"a\": 1 }}"] {
            refused(source, "not closed");
        }
    }
}
