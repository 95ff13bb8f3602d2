//! The partitions of a table: which item is on which, how much each can do, and when one is split.

use std::time::Duration;

use crate::{
    limits::Limits,
    meter::Meter,
    table::{Item, Key},
};

/// A throttled partition that has had rest for so long starts anew towards being split. Assumed.
const REST: Duration = Duration::from_secs(10);

/// The first bit of a hash that splits look at; those below choose among the first partitions.
const FIRST_SPLIT_BIT: u32 = 32;

struct Partition {
    writes: Meter,
    reads: Meter,
    /// Which items have left: those whose hash has this bit set, and for which partition.
    splits: Vec<(u32, usize)>,
    /// How often what was on the first partition has been divided.
    depth: u32,
    /// Since when it has been throttled, and when it was last.
    heat: Option<(Duration, Duration)>,
}

/// All partitions, and the quotas of the table.
pub struct Partitions {
    limits: Limits,
    writes: Meter,
    reads: Meter,
    first: u64,
    all: Vec<Partition>,
}

impl Partitions {
    /// As many as a table needs that is warm up to its quota.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let at_once = limits.smoothing_seconds;
        let mut own = Self {
            writes: Meter::new(limits.table_wcu_per_second, at_once),
            reads: Meter::new(limits.table_rcu_per_second, at_once),
            limits: limits.clone(),
            first: limits.partitions() as u64,
            all: Vec::new(),
        };
        own.all = (0..limits.partitions()).map(|_| own.fresh(0)).collect();
        own
    }

    fn fresh(&self, depth: u32) -> Partition {
        let at_once = self.limits.smoothing_seconds + self.limits.burst_seconds;
        Partition {
            writes: Meter::new(self.limits.partition_wcu_per_second, at_once),
            reads: Meter::new(self.limits.partition_rcu_per_second, at_once),
            splits: Vec::new(),
            depth,
            heat: None,
        }
    }

    /// Whether a strongly consistent read is admitted.
    pub fn read(&mut self, now: Duration, key: Key) -> bool {
        if !self.reads.has(now, 1.0) {
            return false;
        }
        let place = self.place(key);
        let admitted = self.all[place].reads.has(now, 1.0);
        if admitted {
            self.reads.take(1.0);
            self.all[place].reads.take(1.0);
        } else {
            self.heat(now, place);
        }
        admitted
    }

    /// Whether writes of these items are admitted: all of them or none.
    pub fn write(&mut self, now: Duration, items: &[Item]) -> bool {
        let admitted = self.writes.has(now, items.iter().map(|item| item.units()).sum())
            && items.iter().all(|item| {
                let place = self.place(item.key);
                let admitted = self.all[place].writes.has(now, item.units());
                if !admitted {
                    self.heat(now, place);
                }
                admitted
            });
        if admitted {
            self.owe(items);
        }
        admitted
    }

    /// Writes that cannot be refused any more: the second round of a transaction. Where no units are left, later requests wait for them.
    pub fn owe(&mut self, items: &[Item]) {
        for item in items {
            let place = self.place(item.key);
            self.writes.take(item.units());
            self.all[place].writes.take(item.units());
        }
    }

    /// Where an item is.
    fn place(&self, key: Key) -> usize {
        let mut place = usize::try_from((key.0 & 0xffff_ffff) % self.first).unwrap_or(0);
        let mut next = 0;
        while let Some((bit, other)) = self.all[place].splits.get(next) {
            if key.0 >> bit & 1 == 1 {
                (place, next) = (*other, 0);
            } else {
                next += 1;
            }
        }
        place
    }

    /// A partition was throttled. If it has been for long, half of its items go to a new one.
    fn heat(&mut self, now: Duration, place: usize) {
        let since = match self.all[place].heat {
            Some((since, last)) if now.saturating_sub(last) < REST => since,
            _ => now,
        };
        self.all[place].heat = Some((since, now));
        let bit = FIRST_SPLIT_BIT + self.all[place].depth;
        if now.saturating_sub(since) >= self.limits.split_after && bit < u64::BITS {
            let target = self.all.len();
            self.all[place].depth += 1;
            self.all[place].heat = None;
            self.all[place].splits.push((bit, target));
            let fresh = self.fresh(self.all[place].depth);
            self.all.push(fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Writes as fast as possible for ten seconds, and says how many were admitted.
    fn admitted(limits: &Limits, key: impl Fn(u32) -> Key, from: f64) -> f64 {
        let mut partitions = Partitions::new(limits);
        let tries = (0..200_000_u32).map(|n| (key(n), seconds(from + f64::from(n) / 20_000.0)));
        tries.map(|(key, now)| if partitions.write(now, &[Item { key, bytes: 1 }]) { 1.0 } else { 0.0 }).sum()
    }

    #[test]
    fn a_partition_never_exceeds_its_rate() {
        let written = admitted(&Limits::default(), |_| Key::of(0, 7), 0.0);
        assert!((9_900.0..=10_101.0).contains(&written), "{written} in ten seconds and a tenth's worth at once");
    }

    #[test]
    fn a_table_never_exceeds_its_quota() {
        let limits = Limits { table_wcu_per_second: 5_000.0, ..Limits::default() };
        let written = admitted(&limits, |n| Key::of(0, n), 0.0);
        assert!((45_000.0..=50_501.0).contains(&written), "{written}");
    }

    #[test]
    fn many_items_share_the_partitions_evenly() {
        let written = admitted(&Limits::default(), |n| Key::of(0, n), 0.0);
        assert!(written > 190_000.0, "{written} of 200,000: half of what 40 partitions can do");
    }

    #[test]
    fn unused_capacity_is_kept_where_a_burst_is_allowed() {
        let limits = Limits { burst_seconds: 5.0, ..Limits::default() };
        let written = admitted(&limits, |_| Key::of(0, 7), 0.0);
        assert!((14_900.0..=15_101.0).contains(&written), "{written}");
    }

    #[test]
    fn a_hot_partition_is_split_after_a_while_and_a_single_item_gains_nothing() {
        let limits = Limits { split_after: seconds(2.0), table_wcu_per_second: 1_000.0, ..Limits::default() };
        let mut partitions = Partitions::new(&limits);
        assert_eq!(partitions.all.len(), 1);
        partitions.writes = Meter::new(40_000.0, 0.1);
        let mut last_second = [0.0, 0.0];
        for (lane, one_item) in [(0, true), (1, false)] {
            for n in 0..200_000_u32 {
                let now = seconds(10.0 * f64::from(lane) + f64::from(n) / 20_000.0);
                let key = Key::of(0, if one_item { 7 } else { n });
                let admitted = partitions.write(now, &[Item { key, bytes: 1 }]);
                if admitted && n >= 180_000 {
                    last_second[usize::from(!one_item)] += 1.0;
                }
            }
        }
        assert!(last_second[0] <= 1_001.0, "{last_second:?}");
        assert!(last_second[1] >= 1_900.0, "{last_second:?}");
    }
}
