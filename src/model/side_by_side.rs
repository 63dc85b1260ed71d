//! Two maps side by side: with many tenants, one walk is far cheaper than looking up each name.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Every key of two maps in order, with what each of them has under it.
pub fn side_by_side<'a, K: Ord, A, B>(
    one: &'a BTreeMap<K, A>,
    other: &'a BTreeMap<K, B>,
) -> impl Iterator<Item = (&'a K, Option<&'a A>, Option<&'a B>)> {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (one.peek(), other.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let left = if order.is_le() { one.next() } else { None };
        let right = if order.is_ge() { other.next() } else { None };
        let key = left.map(|(key, _)| key).or(right.map(|(key, _)| key))?;
        Some((key, left.map(|(_, value)| value), right.map(|(_, value)| value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_either_map_comes_once_and_in_order() {
        let one = BTreeMap::from([(1, 'a'), (3, 'c'), (4, 'd')]);
        let other = BTreeMap::from([(2, "b"), (3, "c"), (5, "e")]);
        assert_eq!(
            side_by_side(&one, &other).collect::<Vec<_>>(),
            [
                (&1, Some(&'a'), None),
                (&2, None, Some(&"b")),
                (&3, Some(&'c'), Some(&"c")),
                (&4, Some(&'d'), None),
                (&5, None, Some(&"e")),
            ]
        );
        assert_eq!(side_by_side(&one, &BTreeMap::<i32, char>::new()).count(), 3);
    }
}
