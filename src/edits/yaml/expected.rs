//! What a document means after a change, and the small steps that lead there. A step touches one
//! value: what is equal in the old and in the new is left alone, with its comments.

use serde_json::Map;
use serde_json::Value;

use super::Change;
use super::path::Path;
use super::path::Step;
use super::steps::Primitive;

/// Comparing two lists costs their lengths multiplied; longer ones are written anew.
const MOST_COMPARED: usize = 1_000_000;

/// Makes the change to what the document means, and tells the steps that make it to its text.
pub(super) fn plan(document: &mut Value, change: &Change) -> Result<Vec<Primitive>, String> {
    let mut primitives = Vec::new();
    match change {
        Change::Set(path, value) => set(document, path, value.clone(), &mut primitives)?,
        Change::Remove(path) => {
            if let Some((last, above)) = path.steps().split_last()
                && let Some(container) = find_mut(document, above)
            {
                let gone = match (container, last) {
                    (Value::Object(fields), Step::Key(key)) => fields.shift_remove(key).is_some(),
                    (Value::Array(items), Step::Item(at)) if *at < items.len() => {
                        items.remove(*at);
                        true
                    }
                    _ => false,
                };
                if gone {
                    primitives.push(Primitive::Remove(path.clone()));
                }
            }
        }
        Change::Append(path, value) => match find_mut(document, path.steps()) {
            Some(Value::Array(items)) => {
                primitives.push(Primitive::Insert(path.clone().item(items.len()), value.clone()));
                items.push(value.clone());
            }
            None | Some(Value::Null) => {
                set(document, path, Value::Array(vec![value.clone()]), &mut primitives)?;
            }
            Some(_) => return Err("there is something else than a list".to_owned()),
        },
    }
    Ok(primitives)
}

fn find_mut<'a>(value: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object_mut()?.get_mut(key),
        Step::Item(at) => value.as_array_mut()?.get_mut(*at),
    })
}

fn set(
    document: &mut Value,
    path: &Path,
    wanted: Value,
    primitives: &mut Vec<Primitive>,
) -> Result<(), String> {
    let steps = path.steps();
    let there = (0..=steps.len())
        .rev()
        .find(|there| find_mut(document, &steps[..*there]).is_some())
        .unwrap_or_default();
    let upto = Path::from(steps[..there].to_vec());
    let here = find_mut(document, &steps[..there]).ok_or("the document is gone")?;
    let Some(step) = steps.get(there) else {
        differences(path, here, &wanted, primitives);
        *here = wanted;
        return Ok(());
    };
    match (here, step) {
        (Value::Object(fields), Step::Key(key)) => {
            let value = wrapped(&steps[there + 1..], wanted)?;
            primitives.push(Primitive::Insert(upto.key(key), value.clone()));
            fields.insert(key.clone(), value);
        }
        (Value::Array(items), Step::Item(at)) if *at == items.len() => {
            let value = wrapped(&steps[there + 1..], wanted)?;
            primitives.push(Primitive::Insert(upto.item(*at), value.clone()));
            items.push(value);
        }
        // A key without a value stands for nothing yet.
        (here @ Value::Null, Step::Key(_)) => {
            *here = wrapped(&steps[there..], wanted)?;
            primitives.push(Primitive::Replace(upto, here.clone()));
        }
        (_, Step::Key(_)) => return Err(format!("`{upto}` is something else than a map")),
        (_, Step::Item(at)) => return Err(format!("there is no item {at} in `{upto}`")),
    }
    Ok(())
}

/// A value inside of the maps that lead to it.
fn wrapped(steps: &[Step], value: Value) -> Result<Value, String> {
    steps.iter().rev().try_fold(value, |value, step| match step {
        Step::Key(key) => Ok(Value::Object(Map::from_iter([(key.clone(), value)]))),
        Step::Item(0) => Ok(Value::Array(vec![value])),
        Step::Item(at) => Err(format!("there is no list yet that could have an item {at}")),
    })
}

fn differences(path: &Path, old: &Value, new: &Value, primitives: &mut Vec<Primitive>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) if !new.is_empty() => {
            // What is new comes first, so that the map is never empty in between.
            for (key, value) in new {
                let path = path.clone().key(key);
                match old.get(key) {
                    Some(old) => differences(&path, old, value, primitives),
                    None => primitives.push(Primitive::Insert(path, value.clone())),
                }
            }
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                primitives.push(Primitive::Remove(path.clone().key(key)));
            }
        }
        (Value::Array(old), Value::Array(new)) if !new.is_empty() => {
            of_lists(path, old, new, primitives);
        }
        (_, new) => primitives.push(Primitive::Replace(path.clone(), new.clone())),
    }
}

fn of_lists(path: &Path, old: &[Value], new: &[Value], primitives: &mut Vec<Primitive>) {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (rest_old, rest_new) = (&old[start..], &new[start..]);
    let end = rest_old.iter().rev().zip(rest_new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&rest_old[..rest_old.len() - end], &rest_new[..rest_new.len() - end]);
    let kept = common(old, new);
    if kept.is_empty() {
        // Nothing stays the same: each takes the place of the one that stood there.
        for (at, (old, new)) in old.iter().zip(new).enumerate() {
            differences(&path.clone().item(start + at), old, new, primitives);
        }
        for (at, value) in new.iter().enumerate().skip(old.len()) {
            primitives.push(Primitive::Insert(path.clone().item(start + at), value.clone()));
        }
        for at in (new.len()..old.len()).rev() {
            primitives.push(Primitive::Remove(path.clone().item(start + at)));
        }
        return;
    }
    let (mut at, mut next_old, mut next_new) = (start, 0, 0);
    let ends = std::iter::once((old.len(), new.len()));
    for (kept_old, kept_new) in kept.into_iter().chain(ends) {
        for value in &new[next_new..kept_new] {
            primitives.push(Primitive::Insert(path.clone().item(at), value.clone()));
            at += 1;
        }
        for _ in next_old..kept_old {
            primitives.push(Primitive::Remove(path.clone().item(at)));
        }
        (at, next_old, next_new) = (at + 1, kept_old + 1, kept_new + 1);
    }
}

/// The positions, in both, of a longest common part of two lists.
fn common(old: &[Value], new: &[Value]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MOST_COMPARED {
        return Vec::new();
    }
    let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (at_old, one) in old.iter().enumerate().rev() {
        for (at_new, other) in new.iter().enumerate().rev() {
            longest[at_old][at_new] = if one == other {
                longest[at_old + 1][at_new + 1] + 1
            } else {
                longest[at_old + 1][at_new].max(longest[at_old][at_new + 1])
            };
        }
    }
    let (mut at_old, mut at_new, mut kept) = (0, 0, Vec::new());
    while at_old < old.len() && at_new < new.len() {
        if old[at_old] == new[at_new] {
            kept.push((at_old, at_new));
            (at_old, at_new) = (at_old + 1, at_new + 1);
        } else if longest[at_old + 1][at_new] >= longest[at_old][at_new + 1] {
            at_old += 1;
        } else {
            at_new += 1;
        }
    }
    kept
}
