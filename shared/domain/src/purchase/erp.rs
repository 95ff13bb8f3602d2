//! A purchase order and its counterpart in the ERP: what is to be done there next, and what is noted of it here.
//!
//! | the order is | and in the ERP | next |
//! |---|---|---|
//! | on its way | unknown, since the ERP was set up; waiting | note that it is asked, create it |
//! | on its way | asked | the same again, once nobody who was about to create it can be alive, and ever more rarely |
//! | on its way | refused | nothing, until a person has it tried again |
//! | on its way | placed | look at it, four times an hour |
//! | canceled | placed | book what came there, and cancel the rest: at once, and four times an hour until that is done |
//! | canceled | asked | look for it by our key, once nobody who was about to create it can be alive, and cancel it there |
//! | anything else | | nothing |
//!
//! *Asked* is written before the ERP is called, and only while the order is on its way: so an order that is canceled here while its
//! creation is under way there is known to be one that may be there.
//!
//! What is placed in the books of another ERP, or of another company, is left alone there.

use std::collections::BTreeMap;

use super::{PurchaseOrder, Status};
use crate::{
    erp::{ErpKind, ErpSettings, ErpSide, Standing},
    ids::Sku,
    quantity::Quantity,
    refusal::Refusal,
    time::{Day, Timestamp},
};

/// How often a placed order is looked at, in seconds: four times an hour. QuickBooks allows 500 calls a minute, and a delivery that is known
/// a quarter of an hour later sells no unit that is not there.
const LOOK_SECONDS: u64 = 15 * 60;

/// How long after it was asked nobody can be about to create an order any more, in seconds: twice the life of a function that does. Until
/// then the ERP may be busy with the first creation, and one of them (SAP) would make a second order.
const SETTLED_SECONDS: u64 = 2 * 60;

/// Characters of an ERP's words that are kept.
const MAX_WORDS_CHARS: usize = 500;

/// What is to be done in the ERP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Nothing now.
    Nothing,
    /// Create the order, or find it.
    Create,
    /// See what has become of it, by the ERP's id.
    Look(String),
    /// Cancel it, by the ERP's id.
    Cancel(String),
    /// Cancel whatever was created under our key.
    CancelByKey,
}

/// What was done in the ERP, or seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It is about to be created.
    Asked,
    /// It is there.
    Placed {
        /// In which ERP.
        kind: ErpKind,
        /// In whose books there, where the settings say so.
        company: Option<String>,
        /// The ERP's id.
        id: String,
        /// What people there call it.
        number: String,
        /// The day that was sent with it.
        expected_on: Day,
        /// What a person should look at, now and later.
        concern: Option<String>,
    },
    /// The ERP does not want it.
    Refused(String),
    /// It is not known what came of a call, or it came to nothing.
    Failed(String),
    /// It was looked at.
    Seen {
        /// The day that the ERP has for it.
        expected_on: Option<Day>,
        /// What a person should look at.
        concern: Option<String>,
    },
    /// It is canceled there, or was never there.
    Withdrawn {
        /// What a person should look at.
        concern: Option<String>,
    },
}

impl PurchaseOrder {
    /// What is to be done about it in the ERP.
    #[must_use]
    pub fn task(&self, settings: &ErpSettings, now: Timestamp) -> Task {
        if settings.kind.is_none() {
            return Task::Nothing;
        }
        let standing = self.erp.as_ref().map(|side| &side.standing);
        let looked_at = self.erp.as_ref().and_then(|side| side.looked_at);
        let is_due = looked_at.is_none_or(|looked_at| now.seconds_since(looked_at) >= LOOK_SECONDS);
        // What came there since the last look is not lost: the first thing that is done about a canceled order is another one.
        let is_unseen =
            looked_at.is_none_or(|looked_at| self.closed_at.is_some_and(|closed_at| looked_at <= closed_at));
        match (self.status.is_on_its_way(), standing) {
            (true, None) if self.sent_at.is_some_and(|sent_at| sent_at >= settings.since) => Task::Create,
            (true, Some(Standing::Waiting)) => Task::Create,
            (true, Some(Standing::Asked { at })) if now.seconds_since(*at) >= self.patience_seconds(*at) => {
                Task::Create
            }
            (true, Some(Standing::Placed { kind, company, id, .. }))
                if settings.is_at(*kind, company.as_deref()) && is_due =>
            {
                Task::Look(id.clone())
            }
            (false, Some(Standing::Placed { kind, company, id, .. }))
                if self.status == Status::Canceled
                    && settings.is_at(*kind, company.as_deref())
                    && (is_due || is_unseen) =>
            {
                Task::Cancel(id.clone())
            }
            (false, Some(Standing::Asked { at }))
                if self.status == Status::Canceled && now.seconds_since(*at) >= SETTLED_SECONDS =>
            {
                Task::CancelByKey
            }
            _ => Task::Nothing,
        }
    }

    /// How long nobody tries again to create what was asked then: as long again as it has been tried in vain, but four times an hour.
    fn patience_seconds(&self, asked_at: Timestamp) -> u64 {
        let tried = self.sent_at.map_or(0, |sent_at| asked_at.seconds_since(sent_at));
        tried.clamp(SETTLED_SECONDS, LOOK_SECONDS)
    }

    /// Whether something is left to do in the ERP although the order is canceled.
    #[must_use]
    pub fn is_to_be_withdrawn(&self) -> bool {
        let standing = self.erp.as_ref().map(|side| &side.standing);
        self.status == Status::Canceled && matches!(standing, Some(Standing::Asked { .. } | Standing::Placed { .. }))
    }

    /// The order with what was done or seen; nothing if that changes nothing.
    #[must_use]
    pub fn noted(&self, note: &Note, now: Timestamp) -> Option<Self> {
        let before = self.erp.clone().unwrap_or(ErpSide::new(Standing::Waiting));
        let (mut order, mut side) = (self.next(), ErpSide { trouble: None, ..before.clone() });
        match note {
            Note::Asked if !self.status.is_on_its_way() => return None,
            Note::Asked if !matches!(before.standing, Standing::Waiting | Standing::Asked { .. }) => return None,
            Note::Asked => {
                if let Standing::Asked { at } = before.standing
                    && now.seconds_since(at) < SETTLED_SECONDS
                {
                    // Another one is about to create it, or was a moment ago.
                    return None;
                }
                side.standing = Standing::Asked { at: now };
                side.trouble = before.trouble;
            }
            Note::Placed { kind, company, id, number, expected_on, concern } => {
                let (company, id, number, expected_on) =
                    (company.clone(), id.clone(), number.clone(), Some(*expected_on));
                side.standing = Standing::Placed { kind: *kind, company, id, number, expected_on };
                side.concern = concern.as_deref().map(shortened);
                side.looked_at = None;
                if order.status == Status::Sent {
                    order.status = Status::Acknowledged;
                }
            }
            Note::Refused(words) if matches!(before.standing, Standing::Waiting | Standing::Asked { .. }) => {
                side.standing = Standing::Refused { words: shortened(words) };
                side.refusals += 1;
            }
            Note::Refused(words) | Note::Failed(words) => {
                side.trouble = Some(shortened(words));
                side.looked_at = Some(now);
            }
            Note::Seen { expected_on: seen, concern } => {
                side.looked_at = Some(now);
                side.trouble = concern.as_deref().map(shortened);
                if let Standing::Placed { expected_on, .. } = &mut side.standing
                    && seen.is_some()
                    && seen != expected_on
                {
                    *expected_on = *seen;
                    // Only what the ERP says anew: a day that was said here since is not undone by an old one there.
                    if order.status.is_on_its_way() {
                        order.expected_on = *seen;
                    }
                }
            }
            Note::Withdrawn { concern } => {
                side.standing = Standing::Withdrawn;
                side.trouble = concern.as_deref().map(shortened);
            }
        }
        order.erp = Some(side);
        (order.erp != self.erp || order.status != self.status || order.expected_on != self.expected_on).then_some(order)
    }

    /// The order that is to be tried again in the ERP; nothing if it was not refused there.
    pub(super) fn retried(&self) -> Result<Option<Self>, Refusal> {
        if !self.status.is_on_its_way() {
            return Err(self.cannot("be tried again"));
        }
        let refused = self.erp.as_ref().filter(|side| matches!(side.standing, Standing::Refused { .. }));
        Ok(refused
            .map(|side| Self { erp: Some(ErpSide { standing: Standing::Waiting, ..side.clone() }), ..self.next() }))
    }

    /// What has come of each SKU beyond what is booked, where an ERP says how much has come in all. What was booked by hand counts: the same
    /// boxes are on the shelf once, whoever tells of them.
    #[must_use]
    pub fn news_of(&self, come: &BTreeMap<Sku, u64>) -> BTreeMap<Sku, Quantity> {
        let more = self.lines.as_slice().iter().filter_map(|line| {
            let more = come.get(&line.sku)?.saturating_sub(line.received);
            Some((line.sku.clone(), Quantity::new(more).ok()?))
        });
        more.collect()
    }
}

fn shortened(words: &str) -> String {
    words.chars().take(MAX_WORDS_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::order, *};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_800_000_000 + seconds)
    }

    fn settings(kind: Option<ErpKind>) -> ErpSettings {
        let options = [("account_id".to_owned(), "9".to_owned())].into();
        ErpSettings { kind, since: at(0), options, ..ErpSettings::default() }
    }

    fn placed() -> Standing {
        let (id, number) = ("99".to_owned(), "PO-99".to_owned());
        let company = Some("9".to_owned());
        Standing::Placed {
            kind: ErpKind::NetSuite,
            company,
            id,
            number,
            expected_on: Some(Day::from_epoch_days(20_840)),
        }
    }

    fn with(status: Status, standing: Option<Standing>) -> PurchaseOrder {
        PurchaseOrder { erp: standing.map(ErpSide::new), ..order(status, &["tea=12/5"]) }
    }

    #[test]
    fn the_table_of_the_module_head() {
        let (create, nothing) = (Task::Create, Task::Nothing);
        let refused = Standing::Refused { words: "no".to_owned() };
        let asked = Standing::Asked { at: at(100) };
        for (status, standing, now, expected) in [
            (Status::Draft, None, 100, nothing.clone()),
            (Status::Sent, None, 100, create.clone()),
            (Status::Acknowledged, None, 100, create.clone()),
            (Status::Sent, Some(Standing::Waiting), 100, create.clone()),
            (Status::Sent, Some(asked.clone()), 219, nothing.clone()),
            (Status::Sent, Some(asked.clone()), 220, create),
            (Status::Sent, Some(refused.clone()), 100, nothing.clone()),
            (Status::PartiallyReceived, Some(placed()), 100, Task::Look("99".to_owned())),
            (Status::Sent, Some(Standing::Withdrawn), 100, nothing.clone()),
            (Status::Received, Some(placed()), 100, nothing.clone()),
            (Status::Canceled, Some(placed()), 100, Task::Cancel("99".to_owned())),
            (Status::Canceled, Some(asked.clone()), 219, nothing.clone()),
            (Status::Canceled, Some(asked), 220, Task::CancelByKey),
            (Status::Canceled, Some(refused), 100, nothing.clone()),
            (Status::Canceled, Some(Standing::Withdrawn), 100, nothing.clone()),
            (Status::Canceled, None, 100, nothing.clone()),
        ] {
            let order = with(status, standing.clone());
            assert_eq!(order.task(&settings(Some(ErpKind::NetSuite)), at(now)), expected, "{status:?} {standing:?}");
            assert_eq!(order.task(&settings(None), at(now)), nothing, "there is no ERP");
            let left = status == Status::Canceled
                && matches!(&standing, Some(Standing::Asked { .. } | Standing::Placed { .. }));
            assert_eq!(order.is_to_be_withdrawn(), left, "{status:?} {standing:?}");
        }
        let earlier = ErpSettings { since: at(1), ..settings(Some(ErpKind::NetSuite)) };
        assert_eq!(with(Status::Sent, None).task(&earlier, at(100)), nothing, "it was sent before there was an ERP");
        let other = settings(Some(ErpKind::QuickBooks));
        assert_eq!(with(Status::Sent, Some(placed())).task(&other, at(100)), nothing, "it is in another ERP");
        let other = ErpSettings { options: BTreeMap::new(), ..settings(Some(ErpKind::NetSuite)) };
        for status in [Status::Sent, Status::Canceled] {
            assert_eq!(with(status, Some(placed())).task(&other, at(100)), nothing, "it is in another company's books");
        }
    }

    #[test]
    fn a_placed_order_is_looked_at_four_times_an_hour() {
        let seen = Note::Seen { expected_on: None, concern: None };
        let order = with(Status::Sent, Some(placed())).noted(&seen, at(100)).unwrap();
        let task = |now| order.task(&settings(Some(ErpKind::NetSuite)), at(now));
        assert_eq!((task(999), task(1_000)), (Task::Nothing, Task::Look("99".to_owned())));
    }

    #[test]
    fn an_order_that_is_canceled_is_looked_at_again_before_it_is_given_up() {
        let seen = Note::Seen { expected_on: None, concern: None };
        let looked_at = with(Status::Acknowledged, Some(placed())).noted(&seen, at(100)).unwrap();
        let canceled = looked_at.after(super::super::Step::Cancel, at(101)).unwrap().unwrap();
        let task = |order: &PurchaseOrder, now| order.task(&settings(Some(ErpKind::NetSuite)), at(now));
        assert_eq!(task(&canceled, 102), Task::Cancel("99".to_owned()), "not a quarter of an hour later");
        let failed = canceled.noted(&Note::Failed("no answer".to_owned()), at(102)).unwrap();
        assert_eq!((task(&failed, 1_001), task(&failed, 1_002)), (Task::Nothing, Task::Cancel("99".to_owned())));
    }

    #[test]
    fn what_was_asked_in_vain_is_asked_again_ever_more_rarely() {
        let mut order = PurchaseOrder { sent_at: Some(at(0)), ..with(Status::Sent, None) };
        let (mut now, mut asked) = (0, Vec::new());
        while now <= 3_600 {
            if order.task(&settings(Some(ErpKind::NetSuite)), at(now)) == Task::Create {
                asked.push(now);
                order = order.noted(&Note::Asked, at(now)).unwrap();
                order = order.noted(&Note::Failed("no answer".to_owned()), at(now)).unwrap();
            }
            now += 60;
        }
        assert_eq!(asked, [0, 120, 240, 480, 960, 1_860, 2_760]);
        assert_eq!(order.noted(&Note::Asked, at(2_879)), None, "another one is about to create it");
        assert!(order.noted(&Note::Asked, at(2_880)).is_some());
    }

    #[test]
    fn what_is_placed_is_acknowledged_and_what_is_refused_can_be_tried_again() {
        let sent = with(Status::Sent, None);
        let asked = sent.noted(&Note::Asked, at(1)).unwrap();
        assert_eq!(asked.erp.as_ref().unwrap().standing, Standing::Asked { at: at(1) });
        let failed = asked.noted(&Note::Failed("no answer".to_owned()), at(2)).unwrap();
        assert_eq!(failed.erp.as_ref().unwrap().trouble.as_deref(), Some("no answer"));
        assert_eq!(failed.task(&settings(Some(ErpKind::NetSuite)), at(121)), Task::Create, "it may be there");
        let refused = failed.noted(&Note::Refused("x".repeat(600)), at(3)).unwrap();
        let side = refused.erp.clone().unwrap();
        assert_eq!(
            (side.standing, side.refusals, side.trouble),
            (Standing::Refused { words: "x".repeat(500) }, 1, None)
        );
        let again = refused.retried().unwrap().unwrap();
        assert_eq!((again.erp.as_ref().unwrap().refusals, again.version), (1, refused.version + 1));
        assert_eq!(again.task(&settings(Some(ErpKind::NetSuite)), at(4)), Task::Create);
        assert_eq!(again.retried(), Ok(None), "it waits already");
        let note = Note::Placed {
            kind: ErpKind::NetSuite,
            company: Some("9".to_owned()),
            id: "99".to_owned(),
            number: "PO-99".to_owned(),
            expected_on: Day::from_epoch_days(20_840),
            concern: Some("there are two".to_owned()),
        };
        let there = again.noted(&note, at(5)).unwrap();
        assert_eq!((there.status, &there.erp.as_ref().unwrap().standing), (Status::Acknowledged, &placed()));
        assert_eq!(there.noted(&note, at(6)), None, "told twice");
        let looked_at = there.noted(&Note::Seen { expected_on: None, concern: None }, at(6)).unwrap().erp.unwrap();
        assert_eq!((looked_at.concern.as_deref(), looked_at.trouble), (Some("there are two"), None), "it stays");
        for decided in [&there, &refused] {
            assert_eq!(decided.noted(&Note::Asked, at(6)), None, "another one was faster");
        }
        let canceled = with(Status::Canceled, Some(Standing::Asked { at: at(1) }));
        assert_eq!(canceled.noted(&Note::Asked, at(2)), None, "nothing is created of what is canceled");
        let late = canceled.noted(&note, at(2)).unwrap();
        assert_eq!((late.status, late.is_to_be_withdrawn()), (Status::Canceled, true));
        assert!(!late.noted(&Note::Withdrawn { concern: None }, at(3)).unwrap().is_to_be_withdrawn());
        assert!(canceled.retried().is_err());
    }

    #[test]
    fn only_a_new_day_in_the_erp_is_news() {
        let day = Day::from_epoch_days;
        let order = PurchaseOrder { expected_on: Some(day(20_850)), ..with(Status::Acknowledged, Some(placed())) };
        let seen = |order: &PurchaseOrder, days: Option<u64>| {
            let note = Note::Seen { expected_on: days.map(day), concern: None };
            order.noted(&note, at(1)).unwrap_or_else(|| order.clone())
        };
        assert_eq!(seen(&order, Some(20_840)).expected_on, Some(day(20_850)), "the ERP has its old one still");
        assert_eq!(seen(&order, None).expected_on, Some(day(20_850)));
        let slipped = seen(&order, Some(20_860));
        assert_eq!(slipped.expected_on, Some(day(20_860)));
        assert_eq!(seen(&slipped, Some(20_860)), slipped);
    }

    #[test]
    fn what_comes_there_of_an_order_that_is_canceled_here_is_booked_until_it_is_canceled_there() {
        let came = [("tea".parse().unwrap(), Quantity::new(7).unwrap())].into();
        let canceled = PurchaseOrder { closed_at: Some(at(1)), ..with(Status::Canceled, Some(placed())) };
        let booked = canceled.received(&came, at(2)).unwrap();
        assert_eq!(
            (booked.status, booked.closed_at, booked.lines.as_slice()[0].received),
            (Status::Canceled, Some(at(1)), 12)
        );
        let gone = booked.noted(&Note::Withdrawn { concern: None }, at(3)).unwrap();
        assert!(gone.received(&came, at(4)).is_err());
        assert!(with(Status::Canceled, None).received(&came, at(4)).is_err());
    }

    #[test]
    fn what_was_booked_by_hand_is_not_booked_again() {
        let order = order(Status::PartiallyReceived, &["milk=3/0", "tea=12/5"]);
        let news = |come: &[(&str, u64)]| {
            let come = come.iter().map(|(sku, units)| (sku.parse().unwrap(), *units)).collect();
            let news = order.news_of(&come).into_iter();
            news.map(|(sku, units)| format!("{sku}={units}")).collect::<Vec<_>>()
        };
        assert_eq!(news(&[("tea", 5)]), [""; 0]);
        assert_eq!(news(&[("tea", 4), ("milk", 0)]), [""; 0]);
        assert_eq!(news(&[("tea", 8), ("milk", 3), ("mug", 9)]), ["milk=3", "tea=3"]);
    }
}
