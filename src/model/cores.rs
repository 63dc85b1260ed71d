//! Work on many documents, spread over the cores of the machine.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Does independent work on as many threads as the machine has cores, and returns it in order.
pub fn on_all_cores<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(items.len().div_ceil(8));
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    // Small enough that nobody waits long for who got the most work, and large enough that
    // sharing out costs nothing.
    let share = items.len().div_ceil(threads * 32);
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Vec<O>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(items) = items.chunks(share).nth(number) else { return mine };
                        mine.push((number, items.iter().map(&work).collect()));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("work on documents does not panic"))
            .collect()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().flat_map(|(_, outputs)| outputs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_in_order_however_it_is_shared_out() {
        for count in [0, 1, 7, 9, 64, 65, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(on_all_cores(&items, |item| item * 2), doubled);
        }
    }
}
