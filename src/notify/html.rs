//! The same letter as HTML. It is made of the text, so the two cannot disagree, and everything in
//! it is escaped, so nothing that a customer wrote becomes markup.
//!
//! A blank line ends a paragraph and `- ` begins an entry of a list. A line of a template that begins
//! with `=> ` is a link: `=> label: address`, or the address alone.

use std::fmt::Write as _;

/// What stands for `=> ` once a template is filled. No value can hold it, so none makes a link.
pub(super) const LINK: char = '\u{1}';

/// A line that is a link: what it is called, and where it leads.
pub(super) fn link(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix(LINK)?;
    // What is called something is called so by a template; what follows may be a value.
    let (label, address) = match line.split_once(": ") {
        Some(parts) => parts,
        None => (line, line),
    };
    let leads_out = address.starts_with("https://") || address.starts_with("http://");
    (leads_out && !address.contains(char::is_whitespace)).then_some((label, address))
}

/// A letter in HTML, with its styles in place: mail programs drop all others.
pub(super) fn page(language: &str, subject: &str, text: &str) -> String {
    let mut body = String::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        block(&mut body, paragraph.trim_matches('\n'));
    }
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"margin:0;padding:24px;background:#f4f5f7\">\n\
         <div style=\"max-width:560px;margin:0 auto;padding:24px;background:#fff;border-radius:8px;\
         font:16px/1.5 system-ui,sans-serif;color:#1c2430\">\n{body}</div>\n</body>\n</html>\n",
        escaped(subject)
    )
}

fn block(body: &mut String, paragraph: &str) {
    let mut lines = paragraph.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((label, address)) = link(line) {
            let _ = writeln!(
                body,
                "<p><a href=\"{}\" style=\"display:inline-block;padding:10px 16px;background:#1f5fd0;\
                 color:#fff;border-radius:6px;text-decoration:none\">{}</a></p>",
                escaped(address),
                escaped(label)
            );
        } else if let Some(first) = line.strip_prefix("- ") {
            let _ = write!(body, "<ul>\n<li>{}</li>\n", escaped(first));
            while let Some(entry) = lines.peek().and_then(|line| line.strip_prefix("- ")) {
                let _ = writeln!(body, "<li>{}</li>", escaped(entry));
                lines.next();
            }
            body.push_str("</ul>\n");
        } else {
            let _ = write!(body, "<p>{}", escaped(line));
            while let Some(more) = lines.peek().filter(|line| link(line).is_none()) {
                if more.starts_with("- ") {
                    break;
                }
                let _ = write!(body, "<br>{}", escaped(more));
                lines.next();
            }
            body.push_str("</p>\n");
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            LINK => {}
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_lists_and_links_become_what_they_are() {
        let text = "One\ntwo\n\n- a\n- <b>\n\n\u{1}Open: https://x.example/?a=1&b=2\n";
        let page = page("en", "A & B", text);
        for part in [
            "<title>A &amp; B</title>",
            "<p>One<br>two</p>",
            "<ul>\n<li>a</li>\n<li>&lt;b&gt;</li>\n</ul>",
            "<a href=\"https://x.example/?a=1&amp;b=2\"",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn only_what_leads_to_the_web_is_a_link() {
        assert_eq!(link("\u{1}Open: https://x.example"), Some(("Open", "https://x.example")));
        let alone = "https://x.example";
        assert_eq!(link("\u{1}https://x.example"), Some((alone, alone)));
        for line in [
            "=> Open: https://x.example",
            "\u{1}Open: javascript:alert(1)",
            "\u{1}Open: https://x.example/a: https://evil.example",
            "\u{1}Open",
            "Open: https://x.example",
        ] {
            assert_eq!(link(line), None, "{line}");
        }
    }
}
