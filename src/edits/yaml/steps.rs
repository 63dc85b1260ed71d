//! One small change of a text: a value in the place of another, one field or item more or less.

use std::ops::Range;

use serde_json::Value;

use super::layout::Entry;
use super::layout::Item;
use super::layout::Layout;
use super::layout::Shape;
use super::layout::Spot;
use super::layout::Style;
use super::path::Path;
use super::path::Step;
use super::scalar::scalar;
use super::splice::Splice;
use super::splice::below;
use super::splice::column;
use super::splice::indentation;
use super::splice::line_end;
use super::splice::line_start;
use super::splice::newline;
use super::splice::without_lines;
use super::write;

/// A step. What it leads to is there already, or, for an insertion, all but the last of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Primitive {
    Replace(Path, Value),
    Insert(Path, Value),
    Remove(Path),
}

/// A value on the way, and what is around it.
#[derive(Clone, Copy)]
struct Found<'a> {
    spot: &'a Spot,
    /// The byte after the `:` or `-` it belongs to; none for the document itself, and for a key
    /// in brackets that has no colon.
    after: Option<usize>,
    /// The column that the lines below its `:` or `-` stand to the right of.
    outer: usize,
    in_brackets: bool,
    /// It is the value of a key, and neither an item nor the document.
    of_key: bool,
}

/// What has to be written where; none where this layout is beyond us.
pub(super) fn splices(
    text: &str,
    layout: &Layout,
    root: &Spot,
    primitive: &Primitive,
) -> Option<Vec<Splice>> {
    let page = Page { text, layout, newline: newline(text) };
    match primitive {
        Primitive::Replace(path, value) => page.replace(page.find(root, path.steps())?, value),
        Primitive::Insert(path, value) => {
            let (last, above) = path.steps().split_last()?;
            page.insert(page.find(root, above)?, last, value)
        }
        Primitive::Remove(path) => {
            let (last, above) = path.steps().split_last()?;
            page.remove(page.find(root, above)?, last)
        }
    }
}

#[derive(Clone, Copy)]
struct Page<'a> {
    text: &'a str,
    layout: &'a Layout,
    newline: &'static str,
}

impl<'a> Page<'a> {
    fn find(self, root: &'a Spot, steps: &[Step]) -> Option<Found<'a>> {
        let mut found =
            Found { spot: root, after: None, outer: 0, in_brackets: false, of_key: false };
        for step in steps {
            let in_brackets = found.in_brackets || found.spot.style == Style::Flow;
            found = match (&found.spot.shape, step) {
                (Shape::Map(_), Step::Key(key)) => {
                    let entry = found.spot.entry(key)?;
                    let outer = column(self.text, entry.start);
                    Found {
                        spot: &entry.value,
                        after: entry.colon,
                        outer,
                        in_brackets,
                        of_key: true,
                    }
                }
                (Shape::List(items), Step::Item(at)) => {
                    let item = items.get(*at)?;
                    let after = (!in_brackets).then_some(item.start + 1);
                    let outer = column(self.text, item.start);
                    Found { spot: &item.value, after, outer, in_brackets, of_key: false }
                }
                _ => return None,
            };
        }
        Some(found)
    }

    fn same_line(self, one: usize, other: usize) -> bool {
        line_start(self.text, one) == line_start(self.text, other)
    }

    fn replace(self, old: Found<'_>, value: &Value) -> Option<Vec<Splice>> {
        let Spot { start, end, style, shape } = old.spot;
        let like = matches!(shape, Shape::Scalar).then_some(*style);
        let lines = match value {
            Value::Array(_) | Value::Object(_) if old.in_brackets || !old.of_key => {
                vec![write::flow(value)]
            }
            Value::Array(_) | Value::Object(_) => write::after_colon(value),
            word => vec![scalar(word, like)],
        };
        let Some(after) = old.after else {
            let colon = if old.of_key { ": " } else { "" };
            return Some(vec![Splice {
                range: *start..*end,
                with: format!("{colon}{}", lines[0]),
            }]);
        };
        let (first, rest) = lines.split_first()?;
        let mut splices = Vec::new();
        if old.spot.is_bare() {
            if !first.is_empty() {
                splices.push(Splice::insert(after, format!(" {first}")));
            }
        } else if self.same_line(*start, after) || old.in_brackets {
            let range = if first.is_empty() { after..*end } else { *start..*end };
            splices.push(Splice { range, with: first.clone() });
        } else {
            if !first.is_empty() {
                splices.push(Splice::insert(after, format!(" {first}")));
            }
            splices.push(without_lines(self.text, *start, *end));
        }
        if !rest.is_empty() {
            // In the place of lines, or below the line of what stood beside the colon.
            let at = line_end(self.text, if self.same_line(*start, after) { *end } else { after });
            let lines = below(rest, old.outer, self.newline);
            splices.push(Splice::insert(at, format!("{}{lines}", self.newline)));
        }
        Some(splices)
    }

    fn insert(self, above: Found<'_>, step: &Step, value: &Value) -> Option<Vec<Splice>> {
        match (&above.spot.shape, step) {
            (Shape::Map(entries), Step::Key(key)) if above.spot.is_block() => {
                let (first, last) = (entries.first()?, entries.last()?);
                let lines = write::field(key, value);
                Some(vec![self.line_below(last.value.end, column(self.text, first.start), &lines)])
            }
            (Shape::Map(entries), Step::Key(key)) => {
                let last = entries.last().map(|last| (last.start, last.value.end));
                Some(self.at_the_end_of_brackets(
                    above.spot,
                    last,
                    &write::field_in_flow(key, value),
                    true,
                ))
            }
            (Shape::List(items), Step::Item(at)) if above.spot.is_block() => {
                let lines = write::item(value);
                let dashes = column(self.text, items.first()?.start);
                if let Some(before) = at.checked_sub(1) {
                    let before = items.get(before)?;
                    return Some(vec![self.line_below(before.value.end, dashes, &lines)]);
                }
                let lines = below(&lines, dashes, self.newline);
                let lines = format!("{}{}", lines.trim_start(), self.newline);
                Some(vec![Splice::insert(items.first()?.start, lines + &" ".repeat(dashes))])
            }
            (Shape::List(items), Step::Item(at)) => {
                let text = write::flow(value);
                if let Some(next) = items.get(*at) {
                    return Some(vec![Splice::insert(next.start, format!("{text}, "))]);
                }
                let last = items.last().map(|last| (last.start, last.value.end));
                Some(self.at_the_end_of_brackets(above.spot, last, &text, false))
            }
            _ => None,
        }
    }

    /// New lines below the line that a value ends in.
    fn line_below(self, end: usize, column: usize, lines: &[String]) -> Splice {
        let lines = below(lines, column, self.newline);
        Splice::insert(line_end(self.text, end), format!("{}{lines}", self.newline))
    }

    fn at_the_end_of_brackets(
        self,
        brackets: &Spot,
        last: Option<(usize, usize)>,
        new: &str,
        spaced: bool,
    ) -> Vec<Splice> {
        let Some((start, end)) = last else {
            let inside = &self.text[brackets.start + 1..brackets.end - 1];
            let new = match (spaced, inside.is_empty()) {
                (true, true) => format!(" {new} "),
                (true, false) => format!(" {new}"),
                (false, _) => new.to_owned(),
            };
            return vec![Splice::insert(brackets.start + 1, new)];
        };
        let comma = self.layout.skip(self.text, end);
        let has_comma = self.text[comma..].starts_with(',');
        let own_line = indentation(self.text, start);
        // Where each has a line of its own, the new one gets one as well.
        if let Some(indent) = own_line
            && !self.same_line(start, brackets.start)
            && !self.same_line(end, brackets.end)
        {
            let line = line_end(self.text, if has_comma { comma } else { end });
            let ending = if has_comma { "," } else { "" };
            let mut splices =
                vec![Splice::insert(line, format!("{}{indent}{new}{ending}", self.newline))];
            if !has_comma {
                splices.insert(0, Splice::insert(end, ","));
            }
            return splices;
        }
        vec![Splice::insert(end, format!(", {new}"))]
    }

    fn remove(self, above: Found<'_>, step: &Step) -> Option<Vec<Splice>> {
        let (places, at, empty) = match (&above.spot.shape, step) {
            (Shape::Map(entries), Step::Key(key)) => {
                let places = entries.iter().map(place_of_entry).collect::<Vec<_>>();
                let at = entries.iter().position(|entry| entry.key == *key)?;
                (places, at, Value::Object(serde_json::Map::new()))
            }
            (Shape::List(items), Step::Item(at)) => {
                (items.iter().map(place_of_item).collect(), *at, Value::Array(Vec::new()))
            }
            _ => return None,
        };
        let place = places.get(at)?.clone();
        if !above.spot.is_block() {
            return Some(self.out_of_brackets(&places, at));
        }
        if places.len() == 1 {
            return self.replace(above, &empty);
        }
        if indentation(self.text, place.start).is_some() {
            return Some(vec![without_lines(self.text, place.start, place.end)]);
        }
        // It stands behind a dash, and the next one moves there; comments in between stay.
        let next = places.get(at + 1)?.start;
        let until = if self.layout.has_comment(place.end..next) {
            let rest = &self.text[place.end..];
            place.end + rest.len() - rest.trim_start_matches(' ').len()
        } else {
            next
        };
        Some(vec![Splice::remove(place.start..until)])
    }

    fn out_of_brackets(self, places: &[Range<usize>], at: usize) -> Vec<Splice> {
        let place = places[at].clone();
        let comma = self.layout.skip(self.text, place.end);
        let has_comma = self.text[comma..].starts_with(',');
        let mut gone = Vec::new();
        if has_comma && !self.layout.has_comment(place.end..comma) {
            gone.push(place.start..comma + 1);
        } else {
            gone.push(place.clone());
            if has_comma {
                gone.push(comma..comma + 1);
            }
        }
        if let Some(before) = at.checked_sub(1).filter(|_| !has_comma) {
            let comma = self.layout.skip(self.text, places[before].end);
            let until = if self.same_line(comma, place.start) { place.start } else { comma + 1 };
            gone.insert(0, comma..until);
        }
        // White that nothing needs any more goes as well, and with it a line of nothing else.
        if let [.., last] = &mut gone[..] {
            let white = self.text[last.end..].chars().take_while(|next| *next == ' ').count();
            let ends = self.text[last.end + white..].starts_with(['\n', '\r']);
            if let (Some(indent), true) = (indentation(self.text, last.start), ends)
                && self.text[last.start..last.end].find('\n').is_none()
            {
                let line = without_lines(self.text, last.start - indent.len(), last.end);
                *last = line.range;
            } else if places.len() > at + 1 && has_comma {
                last.end += white;
            }
        }
        gone.into_iter().map(Splice::remove).collect()
    }
}

fn place_of_entry(entry: &Entry) -> Range<usize> {
    entry.start..entry.value.end.max(entry.colon.unwrap_or(entry.start))
}

fn place_of_item(item: &Item) -> Range<usize> {
    item.start..item.value.end.max(item.start)
}
