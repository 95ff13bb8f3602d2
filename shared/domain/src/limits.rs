//! Every limit of the service, in one place, each with its reason.

/// Lines in one request. Each line is one write that runs in parallel with the others; 50 keep a request far below one second.
pub const MAX_LINES: usize = 50;

/// Units on one line and in one movement. Two real days of a grocery chain hold one line of 35,836 (fuel, in millilitres).
pub const MAX_QUANTITY: u64 = 1_000_000;

/// Characters of a SKU. Amazon allows 40, Shopify 255 but recommends fewer; 64 keep a bucket's key small.
pub const MAX_SKU_CHARS: usize = 64;

/// Characters of a channel name.
pub const MAX_CHANNEL_CHARS: usize = 32;

/// Characters of an order or session id that the caller chooses.
pub const MAX_REFERENCE_CHARS: usize = 128;

/// Characters of an `Idempotency-Key`: the limit that the IETF draft's implementers (Stripe among them) use.
pub const MAX_IDEMPOTENCY_KEY_CHARS: usize = 255;

/// Characters of the reason of a movement.
pub const MAX_REASON_CHARS: usize = 200;

/// Shortest hold, in seconds. It must not be shorter than [`SIGNATURE_LIFE_SECONDS`]: a late copy of the write that makes a
/// hold must be dead, or stopped by the watermark, once the hold is settled.
pub const MIN_HOLD_SECONDS: u64 = 5 * 60;

/// Longest hold, in seconds: long enough to hold at the cart, short enough that an abandoned cart does not block a sale for long.
pub const MAX_HOLD_SECONDS: u64 = 60 * 60;

/// Hold when the caller names none, in seconds.
pub const DEFAULT_HOLD_SECONDS: u64 = 15 * 60;

/// A reservation lives at most this long after its creation however often it is extended, in seconds.
pub const MAX_LIFE_SECONDS: u64 = 2 * 60 * 60;

/// `Extend` calls one reservation remembers, so that each can be answered the same again.
pub const MAX_EXTENSIONS: usize = 16;

/// A signed AWS request is refused after this many seconds.
/// Source: AWS General Reference, "Signature Version 4", requests expire after five minutes.
pub const SIGNATURE_LIFE_SECONDS: u64 = 5 * 60;

/// How long a decided reservation outlives the last of its holds, in seconds: the evidence must outlive what it testifies
/// against. At least [`SIGNATURE_LIFE_SECONDS`]; a day also lets a person look at yesterday's abandoned carts.
pub const GRACE_SECONDS: u64 = 24 * 60 * 60;

/// Holds in one bucket. With 24 of them (29 bytes each) a bucket stays below 1 KB, and a write of it costs 1 WCU.
pub const MAX_HOLDS: usize = 24;

/// Units that a child is opened with. No more than this many holds can then be in it, so it never outgrows 1 KB.
pub const CHILD_UNITS: u64 = 32;

/// Children that one transaction opens: each costs the same two write units, but the home is in the hands of one transaction at a time.
/// DynamoDB takes 100 items in a transaction; a third of that is enough, and a transaction that is canceled is billed for each of its items.
pub const MAX_CHILDREN_AT_ONCE: u32 = 32;

/// Seconds of an announced peak for which units are put into children ahead. The longer, the fewer shoppers of the rush open any.
pub const PEAK_SECONDS_AHEAD: u64 = 10;

/// Children opened ahead of an announced peak: 262,144 units. Opening them takes 256 transactions on the home, one after the other, about
/// six seconds of the fifteen that a request may take; and whoever wants an exact sum of a SKU reads all of its children.
pub const MAX_CHILDREN_AHEAD: u64 = 8_192;

/// Children folded back in one call: each takes up to two transactions, about 30 ms.
pub const MAX_CHILDREN_FOLDED: usize = 256;

/// Confirmed holds that one write settles.
pub const MAX_SETTLED_AT_ONCE: usize = 10;

/// How long a marketplace's order is reserved while its payment is checked, in seconds: 14 days. Bank transfers and checks of a payment
/// take days, and the marketplace says when it gives up; one that is paid for later still takes its units again.
pub const PENDING_SALE_SECONDS: u64 = 14 * 24 * 60 * 60;

/// How old what a process remembers of a channel's settings may be, in seconds: a change is in force everywhere after that.
pub const CHANNEL_MEMORY_SECONDS: u64 = 30;

/// How long a process takes it that a channel has no quota of a SKU and sells from the shared stock, in seconds. A quota that is made
/// meanwhile is used a minute later at the latest; until then the shared stock is, which is nobody else's either.
pub const POOL_MEMORY_SECONDS: u64 = 60;

/// How old what was last published to a channel may be before it is said to be stale, in seconds, where the merchant sets nothing else.
pub const DEFAULT_STALE_AFTER_SECONDS: u64 = 900;

/// The shortest such time, in seconds: orders are pulled once a minute.
pub const MIN_STALE_AFTER_SECONDS: u64 = 60;

/// The longest, in seconds: what nobody has heard of for a day is not known any more.
pub const MAX_STALE_AFTER_SECONDS: u64 = 24 * 60 * 60;

/// Options of a channel, and ids of a listing: the vendor that reads most has seven of them.
pub const MAX_OPTIONS: usize = 20;

/// Characters of such a name.
pub const MAX_OPTION_NAME_CHARS: usize = 64;

/// Characters of such a value: the longest is a URL.
pub const MAX_OPTION_CHARS: usize = 512;

/// SKUs in one availability call.
pub const MAX_AVAILABILITY_SKUS: usize = 100;

/// Channels that divide the units of one SKU, the shared stock not counted. All of their homes and a pair of movements for each are one
/// transaction, and DynamoDB takes 100 items in one: 33 homes, 64 movements and the rule.
pub const MAX_CHANNELS: usize = 32;

/// Sales count half as much after this time, in seconds, when units are divided by recent sales. A day: a sale that runs well changes
/// the division within hours, and a quiet night does not forget it.
pub const SALES_HALF_LIFE_SECONDS: u64 = 24 * 60 * 60;

/// The largest weight of a channel: shares can be given to a millionth.
pub const MAX_WEIGHT: u64 = 1_000_000;

/// Characters of a supplier's name.
pub const MAX_SUPPLIER_CHARS: usize = 100;

/// Lines of one purchase order. A receipt of all of them is one transaction: for each line a home, a movement and what is on its way of
/// the SKU, and once the order. DynamoDB takes 100 items in one.
pub const MAX_PURCHASE_LINES: usize = 33;

/// Lines of one receipt where some may have been promised before they came: for each line also the pool of what is to come, and the movement
/// by which it follows.
pub const MAX_AWAITED_LINES: usize = 19;

/// Purchase orders of one SKU that are on their way at once. Each is about 30 bytes of one item, which availability reads: 100 of them
/// are less than 4 KB, one read unit.
pub const MAX_ORDERS_ON_THEIR_WAY: usize = 100;

/// The highest cost of one unit, in minor units of its currency: a million with two decimals. With the most units on the most lines the sum
/// is below 2^53, so that every reader of JSON has it exactly.
pub const MAX_UNIT_COST_MINOR: u64 = 100_000_000;

/// Items, and suppliers, whose ids in the ERP are set one by one: what a body and an item of the table hold with ease. Beyond that the ERP's own
/// number of an item is its SKU.
pub const MAX_ERP_NAMES: usize = 1_000;

/// Items on a page of a list.
pub const MAX_PAGE: usize = 100;

/// Items on a page when the caller names no limit.
pub const DEFAULT_PAGE: usize = 50;

/// Bytes of a request's body.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Reserves per second that a merchant may announce for one SKU.
pub const MAX_EXPECTED_PEAK_PER_SECOND: u64 = 100_000;

/// Complete days from which average daily sales are taken when a merchant names no other: four of each day of the week.
pub const DEFAULT_WINDOW_DAYS: u64 = 28;

/// The longest window, in days: a season and its year before. Each day is one small item that is read once a day.
pub const MAX_WINDOW_DAYS: u64 = 365;

/// The longest lead time, in days.
pub const MAX_LEAD_TIME_DAYS: u64 = 365;

/// The largest safety stock as a part of what sells during the lead time, in percent.
pub const MAX_SAFETY_PERCENT: u64 = 1_000;

/// Days of average sales that an order covers beyond the reorder point when a merchant names no other.
pub const DEFAULT_COVER_DAYS: u64 = 14;

/// Days before today to which seconds out of stock are still written: with what is learned and an alert they are one transaction, and
/// DynamoDB takes 100 items in one.
pub const MAX_OUT_DAYS: u64 = 90;

/// Days of sales in one request: a body of 64 KiB holds three times as many, and each is a write.
pub const MAX_DAYS_OF_SALES: usize = 366;

/// Units that one day of a SKU can have sold: a thousand lines of the largest quantity.
pub const MAX_UNITS_A_DAY: u64 = 1_000 * MAX_QUANTITY;

/// An order that is not decided after this long, in seconds, is in no queue any more: four days in the order queue, and fourteen more
/// if it became a dead letter (the retention times in `template.yaml`; a FIFO message is given its full time anew when it becomes one).
pub const MAX_QUEUED_SECONDS: u64 = (4 + 14) * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_computed_are_what_the_documentation_says() {
        let seconds = [
            ("shortest hold, 5 minutes", MIN_HOLD_SECONDS, 300),
            ("hold when none is named, 15 minutes", DEFAULT_HOLD_SECONDS, 900),
            ("longest hold, an hour", MAX_HOLD_SECONDS, 3_600),
            ("life of a reservation, 2 hours", MAX_LIFE_SECONDS, 7_200),
            ("life of a signed request, 5 minutes", SIGNATURE_LIFE_SECONDS, 300),
            ("a record outlives its holds by a day", GRACE_SECONDS, 86_400),
            ("time in both queues, 18 days", MAX_QUEUED_SECONDS, 1_555_200),
            ("a payment is checked for up to 14 days", PENDING_SALE_SECONDS, 1_209_600),
            ("the longest time until a channel is stale, a day", MAX_STALE_AFTER_SECONDS, 86_400),
            ("half of the sales is forgotten in a day", SALES_HALF_LIFE_SECONDS, 86_400),
        ];
        for (name, limit, stated) in seconds {
            assert_eq!(limit, stated, "{name}, in seconds");
        }
        assert!(MAX_PURCHASE_LINES as u64 * MAX_QUANTITY * MAX_UNIT_COST_MINOR < 1 << 53, "a sum is exact in JSON");
        assert_eq!(1 + 3 * MAX_PURCHASE_LINES, 100, "a receipt of all lines is one transaction");
        assert_eq!(
            1 + 5 * MAX_AWAITED_LINES,
            96,
            "and one of lines that are waited for, with one more it would not be"
        );
        assert_eq!(MAX_BODY_BYTES, 65_536, "a body, 64 KiB, in bytes");
    }

    #[test]
    fn limits_that_lean_on_each_other_stand_in_order() {
        let pairs = [
            ("a late copy of a write is dead before its hold is over", SIGNATURE_LIFE_SECONDS, MIN_HOLD_SECONDS),
            ("a late copy of a write is dead before the evidence is", SIGNATURE_LIFE_SECONDS, GRACE_SECONDS),
            ("the usual hold is one that may be asked for", MIN_HOLD_SECONDS, DEFAULT_HOLD_SECONDS),
            ("the usual hold is one that may be asked for", DEFAULT_HOLD_SECONDS, MAX_HOLD_SECONDS),
            ("the longest hold fits into a reservation's life", MAX_HOLD_SECONDS, MAX_LIFE_SECONDS),
            ("the usual page is one that may be asked for", DEFAULT_PAGE as u64, MAX_PAGE as u64),
        ];
        for (why, smaller, larger) in pairs {
            assert!(smaller <= larger, "{why}: {smaller} <= {larger}");
        }
    }
}
