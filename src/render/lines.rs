//! Back from a line of rendered text to the line of the template that made it, as well as can be
//! told afterwards: by what both have in common.

use super::language::outside_tags;

/// The line of the template, counted from one; zero where nothing tells.
pub(super) fn line_of_template(source: &str, text: &str, line: u32) -> usize {
    let Some(index) = (line as usize).checked_sub(1) else { return 0 };
    let Some(wanted) = text.lines().nth(index) else { return 0 };
    let matching: Vec<usize> = source
        .lines()
        .enumerate()
        .filter(|(_, template)| could_become(template, wanted))
        .map(|(number, _)| number + 1)
        .collect();
    // Where several lines could have become this one, the nth of its likes came from the nth of theirs.
    let before = text.lines().take(index).filter(|other| *other == wanted).count();
    matching.get(before).or(matching.last()).copied().unwrap_or(0)
}

/// A line of the text, as a message shows it.
pub(super) fn text_of(text: &str, line: u32) -> String {
    let line = text.lines().nth((line as usize).saturating_sub(1)).unwrap_or("").trim();
    line.chars().take(80).collect()
}

/// Whether a line of a template could become this text: what stands outside of its tags stands in
/// the text, in that order.
fn could_become(template: &str, text: &str) -> bool {
    let literals = outside_tags(template);
    let (Some((first, more)), Some(last)) = (literals.split_first(), literals.last()) else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for literal in more {
        let Some(at) = rest.find(literal) else { return false };
        rest = &rest[at + literal.len()..];
    }
    text.ends_with(last) && literals.iter().any(|literal| !literal.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_what_stands_around_its_values() {
        let source = "kind: Service\nmetadata:\n  name: {{ name }}\n{% for p in ports %}\n  - port: {{ p }}\n{% endfor %}\n  x: {a: {{ a }}}\n";
        let text =
            "kind: Service\nmetadata:\n  name: \"web\"\n  - port: 80\n  - port: 81\n  x: {a: 1}\n";
        for (line, expected) in [(1, 1), (3, 3), (4, 5), (5, 5), (6, 7), (9, 0)] {
            assert_eq!(line_of_template(source, text, line), expected, "{line}");
        }
    }
}
