//! Words for a shell: the one place where values are quoted.

/// Writes a text so that a POSIX shell reads it as one word, whatever is in it. A shell knows no
/// NUL: no value with one may get so far.
pub fn quote(word: &str, text: &mut String) {
    text.push('\'');
    for (position, part) in word.split('\'').enumerate() {
        if position > 0 {
            text.push_str(r"'\''");
        }
        text.push_str(part);
    }
    text.push('\'');
}

/// As [`quote`], alone.
pub fn quoted(word: &str) -> String {
    let mut text = String::new();
    quote(word, &mut text);
    text
}
