//! Samples are kept once, and added up once.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tenantry::model::zone::zone;
use tenantry::usage::Measure;
use tenantry::usage::SLOT;
use tenantry::usage::Sample;
use tenantry::usage::Step;
use tenantry::usage::range::Range;
use tenantry::usage::store;
use tenantry::usage::sums;
use tenantry::usage::sums::Measures;
use tenantry::usage::sums::Sums;

use super::at;
use super::id;
use super::pool;
use super::sample;

const BEGIN: &str = "2026-11-20T00:00:00Z";
const NOW: &str = "2026-11-26T12:00:00Z";

fn range(from: Timestamp, to: Timestamp, step: Step) -> Range {
    Range { from, to, step }
}

/// Samples of different slots, each with what it says.
fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let one = (0..3_usize, 0..3_usize, 0..(6 * 24 * 12_i64), 0..1_000_000_i64);
    proptest::collection::vec(one, 1..80).prop_map(|drawn| {
        let names = ["acme/school", "acme/blog", "globex/school"];
        let mut samples: BTreeMap<(usize, usize, i64), Sample> = BTreeMap::new();
        for (name, measure, slot, value) in drawn {
            let time = at(BEGIN) + SLOT * i32::try_from(slot).unwrap();
            let sample = Sample::now(id(names[name]), Measure::ALL[measure], value, time);
            samples.entry((name, measure, slot)).or_insert(sample);
        }
        samples.into_values().collect()
    })
}

/// What samples come to, by the definition.
fn expected(
    samples: &[Sample],
    of: &str,
    range: Range,
    zone: &TimeZone,
) -> BTreeMap<Timestamp, Measures> {
    let mut steps: BTreeMap<Timestamp, Measures> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.of == id(of)) {
        let start = range.step.start(sample.at, zone);
        if range.contains(start) {
            let measures = steps.entry(start).or_default();
            let known = measures.entry(sample.measure).or_default();
            known.seconds += sample.seconds;
            known.total += sample.value * sample.seconds;
            known.maximum = known.maximum.max(sample.value);
        }
    }
    steps
}

fn total(steps: &BTreeMap<Timestamp, Measures>) -> Measures {
    let mut total = Measures::new();
    for (measure, sums) in steps.values().flatten() {
        sums::add(&mut total, *measure, *sums);
    }
    total
}

proptest! {
    #[test]
    fn samples_come_to_the_same_in_any_order_and_in_any_parts(
        samples in samples().prop_shuffle(), cut in 0..80_usize,
    ) {
        let zone = zone("Asia/Kathmandu").unwrap();
        let mut sorted = samples.clone();
        sorted.sort_by_key(|sample| (sample.at, sample.of.clone(), sample.measure));
        let (hours, days) = sums::roll_up(&sorted, &zone);
        let (head, tail) = samples.split_at(cut.min(samples.len()));
        let (mut in_parts, mut days_in_parts) = sums::roll_up(head, &zone);
        let (rest, rest_of_days) = sums::roll_up(tail, &zone);
        for (key, sums) in rest {
            let known = in_parts.entry(key).or_default();
            *known = known.plus(sums);
        }
        for (key, sums) in rest_of_days {
            let known = days_in_parts.entry(key).or_default();
            *known = known.plus(sums);
        }
        prop_assert_eq!(&in_parts, &hours);
        prop_assert_eq!(&days_in_parts, &days);
        // Hours and days are sums of the same.
        let all = |by: Vec<Sums>| by.into_iter().fold(Sums::default(), Sums::plus);
        prop_assert_eq!(all(hours.into_values().collect()), all(days.into_values().collect()));
    }
}

/// What is done with samples, in some order.
#[derive(Clone, Debug)]
enum Deed {
    /// These are measured, some of them not for the first time.
    Record(Vec<usize>),
    RollUp,
    Clean,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => proptest::collection::vec(0..80_usize, 1..20).prop_map(Deed::Record),
        2 => Just(Deed::RollUp),
        1 => Just(Deed::Clean),
    ];
    proptest::collection::vec(deed, 1..12)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_late_or_twice_the_sums_are_those_of_the_samples() {
    let Some(pool) = pool().await else { return };
    let zone = zone("Asia/Kathmandu").unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for round in 0..24 {
        let drawn = (samples(), deeds(), 0..(6 * 24_i32)).new_tree(&mut runner).unwrap().current();
        let (samples, deeds, cut) = drawn;
        sqlx::query("truncate usage_sample, usage_hour, usage_day").execute(&pool).await.unwrap();
        for deed in &deeds {
            match deed {
                Deed::Record(which) => {
                    let some: Vec<Sample> =
                        which.iter().map(|which| samples[which % samples.len()].clone()).collect();
                    store::record(&pool, &some, at(NOW)).await.unwrap();
                }
                Deed::RollUp => _ = store::roll_up(&pool, &zone).await.unwrap(),
                Deed::Clean => _ = store::clean(&pool, at(NOW)).await.unwrap(),
            }
        }
        // Everything, at last; another value for the same slot is no news.
        let others = samples.iter().map(|sample| Sample { value: sample.value, ..sample.clone() });
        store::record(&pool, &samples, at(NOW)).await.unwrap();
        let others: Vec<Sample> = others.map(|sample| Sample { value: 7, ..sample }).collect();
        assert_eq!(store::record(&pool, &others, at(NOW)).await.unwrap(), 0);
        for rolled in [false, true] {
            if rolled {
                store::roll_up(&pool, &zone).await.unwrap();
            }
            for (of, step) in [
                ("acme/school", Step::Raw),
                ("acme/school", Step::Hour),
                ("acme/blog", Step::Day),
                ("globex/school", Step::Day),
            ] {
                let (from, to) = (at(BEGIN), at(NOW));
                let whole = range(from, to, step);
                let found = store::steps(&pool, &id(of), whole, &zone).await.unwrap();
                let told = format!("round {round}, {of} by {step:?}, rolled up: {rolled}");
                assert_eq!(found, expected(&samples, of, whole, &zone), "{told}");
                // A range is the sum of its parts, wherever it is cut.
                let middle = from + SignedDuration::from_mins(53) * cut;
                let first = range(from, middle, step);
                let first = store::steps(&pool, &id(of), first, &zone).await.unwrap();
                let second = range(middle, to, step);
                let second = store::steps(&pool, &id(of), second, &zone).await.unwrap();
                let mut parts = total(&first);
                for (measure, sums) in total(&second) {
                    sums::add(&mut parts, measure, sums);
                }
                assert_eq!(parts, total(&found), "{told}, cut at {middle}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_roll_up_at_once_count_nothing_twice() {
    let Some(pool) = pool().await else { return };
    let zone = TimeZone::UTC;
    let samples: Vec<Sample> = (0..600)
        .map(|slot| Sample::now(id("acme/school"), Measure::Cpu, 10, at(BEGIN) + SLOT * slot))
        .collect();
    for some in samples.chunks(50) {
        store::record(&pool, some, at(NOW)).await.unwrap();
        let rolling = (0..4).map(|_| store::roll_up(&pool, &zone));
        let rolled = futures_util::future::join_all(rolling).await;
        let rolled: u64 = rolled.into_iter().map(Result::unwrap).sum();
        assert_eq!(rolled, 50);
    }
    for step in [Step::Raw, Step::Hour, Step::Day] {
        let whole = range(at(BEGIN), at(NOW), step);
        let steps = store::steps(&pool, &id("acme/school"), whole, &zone).await.unwrap();
        let sums = total(&steps)[&Measure::Cpu];
        assert_eq!((sums.seconds, sums.total, sums.average()), (180_000, 1_800_000, 10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_not_counted_again_and_what_is_not_added_up_is_not_forgotten() {
    let Some(pool) = pool().await else { return };
    let (zone, old) = (TimeZone::UTC, "2026-11-20T10:02:00Z");
    let samples = [
        sample("acme/school", Measure::Memory, 100, old),
        sample("acme/school", Measure::Memory, 300, "2026-11-20T10:07:00Z"),
    ];
    assert_eq!(store::record(&pool, &samples, at(NOW)).await.unwrap(), 2);
    // Long after, nobody has added them up yet.
    let later = at("2026-12-20T00:00:00Z");
    assert_eq!(store::clean(&pool, later).await.unwrap(), 0);
    assert_eq!(store::roll_up(&pool, &zone).await.unwrap(), 2);
    assert_eq!(store::clean(&pool, later).await.unwrap(), 2);
    // Whoever sends them again is late.
    assert_eq!(store::record(&pool, &samples, later).await.unwrap(), 0);
    let hours = async || {
        let whole = range(at(BEGIN), later, Step::Hour);
        store::steps(&pool, &id("acme/school"), whole, &zone).await.unwrap()
    };
    let sums = hours().await[&at("2026-11-20T10:00:00Z")][&Measure::Memory];
    assert_eq!(sums, Sums { seconds: 600, total: 120_000, maximum: 300 });
    assert_eq!(sums.average(), 200);
    // Months later the hour goes, and years later the day.
    assert_eq!(store::clean(&pool, at("2028-01-01T00:00:00Z")).await.unwrap(), 1);
    assert!(hours().await.is_empty());
    assert_eq!(store::clean(&pool, at("2031-01-01T00:00:00Z")).await.unwrap(), 0);
    assert_eq!(store::clean(&pool, at("2032-01-01T00:00:00Z")).await.unwrap(), 1);
}
