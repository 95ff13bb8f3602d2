//! What a seed decides before anything begins: what is on the shelf, who wants what where and when, and when a channel is down.

use fastrand::Rng;

/// Milliseconds since the run began.
pub type Millis = u64;

/// How long before the day everything is set up and published, in milliseconds.
pub const MORNING_MS: Millis = 15 * 60_000;

/// When every day ends, in epoch seconds: at 2027-01-17T00:00:00Z, as one of eBay's days does. So a whole day is one of eBay's, and a
/// shorter one is the end of one.
const DAY_ENDS: u64 = 1_800_144_000;

/// Where is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The merchant's own store.
    Own,
    /// Amazon.
    Amazon,
    /// eBay.
    Ebay,
    /// Walmart.
    Walmart,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Own, Self::Amazon, Self::Ebay, Self::Walmart];

    /// Those with a vendor.
    pub const MARKETS: [Self; 3] = [Self::Amazon, Self::Ebay, Self::Walmart];

    /// The channel's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Amazon => "amazon",
            Self::Ebay => "ebay",
            Self::Walmart => "walmart",
        }
    }

    /// The place of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.name() == name)
    }

    /// Of a hundred shoppers, how many come here: what the merchant knows of it.
    #[must_use]
    pub const fn share_percent(self) -> u64 {
        match self {
            Self::Own => 35,
            Self::Amazon => 30,
            Self::Ebay => 20,
            Self::Walmart => 15,
        }
    }
}

/// How large a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many SKUs.
    pub skus: usize,
    /// About how many orders the shelf is good for; somewhat more shoppers come.
    pub orders: usize,
    /// How long the day is.
    pub hours: u64,
    /// For how long a channel is down.
    pub down_minutes: u64,
    /// The number of a SKU of which everything is told.
    pub follow: Option<usize>,
}

impl Plan {
    /// The day of the documentation.
    pub const WHOLE: Self = Self { seed: 1, skus: 200, orders: 50_000, hours: 24, down_minutes: 60, follow: None };

    /// One of about a minute, optimized.
    pub const SHORT: Self = Self { seed: 1, skus: 40, orders: 3_000, hours: 4, down_minutes: 30, follow: None };

    /// One for a look, not optimized.
    pub const TINY: Self = Self { seed: 1, skus: 6, orders: 150, hours: 1, down_minutes: 10, follow: None };

    /// When the run begins, in epoch seconds.
    #[must_use]
    pub const fn begins_at(&self) -> u64 {
        DAY_ENDS - self.ends_ms() / 1_000
    }

    /// When the last shopper comes.
    #[must_use]
    pub const fn ends_ms(&self) -> Millis {
        MORNING_MS + self.hours * 3_600_000
    }
}

/// A shopper who wants something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// When.
    pub at: Millis,
    /// Where.
    pub place: Place,
    /// The number of the SKU.
    pub sku: usize,
    /// How many units.
    pub units: u64,
}

/// What a seed decides, the same for every approach.
#[derive(Debug, Clone)]
pub struct Day {
    /// How large it is.
    pub plan: Plan,
    /// Who comes, in order.
    pub wishes: Vec<Wish>,
    /// Units on the shelf, by SKU.
    pub shelf: Vec<u64>,
    /// Which channel is down, and when.
    pub down: (Place, std::ops::Range<Millis>),
}

/// The name of a SKU.
#[must_use]
pub fn sku_name(number: usize) -> String {
    format!("sku-{number:03}")
}

/// The number in the name of a SKU.
#[must_use]
pub fn sku_number(name: &str) -> Option<usize> {
    name.strip_prefix("sku-")?.parse().ok()
}

impl Day {
    /// Draws a day.
    #[must_use]
    pub fn draw(plan: Plan) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let popularity = cumulated((1..=plan.skus).map(|rank| zipf(rank as u64)));
        // Each SKU sells better here and worse there than SKUs do on average: what the merchant knows is never quite right.
        let liking: Vec<Vec<u64>> = (0..plan.skus)
            .map(|_| cumulated(Place::ALL.into_iter().map(|place| place.share_percent() * rng.u64(40..=200))))
            .collect();
        let count = plan.orders * 7 / 6;
        let mut wishes: Vec<Wish> = (0..count)
            .map(|_| {
                let sku = draw(&mut rng, &popularity);
                let place = Place::ALL[draw(&mut rng, &liking[sku])];
                let units = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3][rng.usize(0..12)];
                Wish { at: MORNING_MS + moment(&mut rng, plan.hours * 3_600_000), place, sku, units }
            })
            .collect();
        wishes.sort_by_key(|wish| (wish.at, wish.sku));
        let mut wanted = vec![0; plan.skus];
        for wish in &wishes {
            wanted[wish.sku] += wish.units;
        }
        // Half of the SKUs run short.
        let shelf =
            wanted.iter().map(|wanted| wanted * if rng.bool() { rng.u64(50..95) } else { rng.u64(105..160) } / 100);
        let shelf = shelf.map(|units: u64| units.max(4)).collect();
        let place = Place::MARKETS[rng.usize(0..3)];
        // In the busier half of the day.
        let from = MORNING_MS + plan.hours * 3_600_000 * rng.u64(55..70) / 100;
        Self { plan, wishes, shelf, down: (place, from..from + plan.down_minutes * 60_000) }
    }

    /// Whether a channel answers nothing at a moment.
    #[must_use]
    pub fn is_down(&self, place: Place, at: Millis) -> bool {
        self.down.0 == place && self.down.1.contains(&at)
    }
}

/// How much is wanted of the SKU of this rank: a millionth share, by Zipf's law with the exponent 0.9 that shops measure.
fn zipf(rank: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
    let share = (1_000_000.0 / (rank as f64).powf(0.9)) as u64;
    share
}

fn cumulated(weights: impl Iterator<Item = u64>) -> Vec<u64> {
    weights
        .scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

fn draw(rng: &mut Rng, cumulated: &[u64]) -> usize {
    let point = rng.u64(0..cumulated.last().copied().unwrap_or(1));
    cumulated.partition_point(|sum| *sum <= point)
}

/// A moment of the day: nights are quiet, and evenings are four times as busy.
fn moment(rng: &mut Rng, length: Millis) -> Millis {
    loop {
        let at = rng.u64(0..length);
        let hour = at * 24 / length;
        let busy = match hour {
            0..6 => 25,
            6..10 => 50,
            10..17 => 75,
            17..22 => 100,
            _ => 60,
        };
        if rng.u64(0..100) < busy {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_day_and_another_seed_another_day() {
        let day = |seed| Day::draw(Plan { seed, ..Plan::SHORT });
        let (first, again, other) = (day(1), day(1), day(2));
        assert_eq!((&first.wishes, &first.shelf, &first.down), (&again.wishes, &again.shelf, &again.down));
        assert_ne!(first.wishes, other.wishes);
    }

    #[test]
    fn half_of_the_skus_run_short_and_the_first_are_wanted_most() {
        let day = Day::draw(Plan { skus: 200, orders: 20_000, ..Plan::SHORT });
        let mut wanted = vec![0; 200];
        for wish in &day.wishes {
            wanted[wish.sku] += wish.units;
        }
        let short = day.shelf.iter().zip(&wanted).filter(|(shelf, wanted)| shelf < wanted).count();
        assert!((70..130).contains(&short), "{short}");
        assert!(wanted[0] > 5 * wanted[20] && wanted[20] > wanted[190], "{wanted:?}");
        assert!(day.wishes.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
