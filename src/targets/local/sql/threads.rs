//! Work that waits for the disk, done by a few threads at once.

use std::{panic::resume_unwind, thread};

/// Does it for each of the items, by so many threads, and gives what came of it in their order.
pub(super) fn side_by_side<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(threads.max(1)).max(1);
    let all = |items: &[T]| items.iter().map(&work).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut shares = items.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|items| scope.spawn(|| all(items))).collect();
        let mut done = all(first);
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once_and_in_order() {
        for count in 0..9 {
            for threads in 0..5 {
                let items: Vec<_> = (0..count).collect();
                assert_eq!(side_by_side(&items, threads, |item| item + 1), (1..=count).collect::<Vec<_>>());
            }
        }
    }
}
