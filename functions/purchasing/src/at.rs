//! One purchase order, at the ERP.
//!
//! **What came** is booked as far as the ERP shows our lines. A SKU of which it shows no line, or that is the same item as another of the
//! order, is a person's to look at: it is told, and said aloud when it is new; nothing of it is booked, and the order is not over because
//! the ERP says so.
//!
//! **What fails** is written on the order. The second time in a row somebody is called: one call that fails is nothing to get up for.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    erp::{ErpKind, ErpSettings, Standing},
    ids::Sku,
    purchase::{
        PurchaseOrder, Step,
        erp::{Note, Task},
    },
    refusal::Refusal,
    time::Day,
};
use erp::{CallError, Created, Erp, ErpOrderId, NewLine, NewOrder, OrderKey, OrderState, Status, Which};
use http::Date;
use runtime::App;
use store::Failure;

/// Orders under one key that one call cancels: there is one, or two where two created it at once.
const MAX_UNDER_ONE_KEY: usize = 3;

/// What is needed to attend to orders.
pub(crate) struct Desk<'a> {
    pub app: &'a App,
    pub kind: ErpKind,
    pub settings: &'a ErpSettings,
    pub erp: &'a dyn Erp,
}

/// An order, or the ERP's id of one, that this ERP cannot have.
#[derive(Debug, PartialEq, Eq)]
struct Unfit(&'static str);

/// What an order looks like in the ERP.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Units of our SKUs that have come in all.
    come: BTreeMap<Sku, u64>,
    /// What is a person's to look at, for nobody else can tell what came of it.
    unclear: Vec<String>,
}

impl Desk<'_> {
    /// Does what is due about an order.
    pub(crate) async fn attend(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        match order.task(self.settings, self.app.now()) {
            Task::Nothing => Ok(()),
            Task::Create => self.create(order).await,
            Task::Look(id) => self.look(order, &id).await,
            Task::Cancel(id) => self.cancel(order, &id).await,
            Task::CancelByKey => self.cancel_by_key(order).await,
        }
    }

    /// Creates it, or finds it: it is written first that it may be there from now on.
    async fn create(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        let started_at = self.app.now();
        let Some(order) = self.app.store.note_erp(&order.id, &Note::Asked).await? else { return Ok(()) };
        let standing = order.erp.as_ref().map(|side| &side.standing);
        let is_asked = matches!(standing, Some(Standing::Asked { at }) if *at >= started_at);
        if !is_asked || !order.status.is_on_its_way() {
            // Canceled, or asked, refused or placed by another call meanwhile.
            return Ok(());
        }
        let created = match self.new_order(&order) {
            Ok(new) => self.erp.create(&new).await.map(|created| (created, new.expected_on)),
            Err(Unfit(why)) => Err(CallError::Refused { reason: why.to_owned() }),
        };
        let note = match created {
            Ok((Created { id, number, was_there, concerns }, expected_on)) => {
                tracing::info!(order = %order.id, erp_order = %id, was_there, "a purchase order is in the ERP");
                let company = self.settings.company().map(str::to_owned);
                let expected_on = day(expected_on).unwrap_or_else(|| Day::of(order.created_at));
                let (kind, id, concern) = (self.kind, id.to_string(), concern(&order, &concerns));
                Note::Placed { kind, company, id, number, expected_on, concern }
            }
            Err(CallError::Refused { reason }) => {
                tracing::error!(alarm = "purchase-order-refused", order = %order.id, reason, "the ERP refuses a purchase order");
                Note::Refused(reason)
            }
            Err(error) => failed(&order, &error),
        };
        self.note(&order, note).await
    }

    fn new_order(&self, order: &PurchaseOrder) -> Result<NewOrder, Unfit> {
        let ordered_on = Day::of(order.sent_at.unwrap_or(order.created_at));
        let order_on = date(ordered_on).ok_or(Unfit("its date is beyond any calendar"))?;
        let expected_on = order.expected_on.unwrap_or(ordered_on);
        let currency = order.currency.as_ref().map(|currency| currency.as_str().parse());
        if !twice(self.settings, order).is_empty() {
            return Err(Unfit("two of its SKUs are one item in the ERP"));
        }
        let lines = order.lines.as_slice().iter().map(|line| NewLine {
            item: self.settings.item(&line.sku).to_owned(),
            sku: line.sku.clone(),
            quantity: line.quantity,
            // What nobody has said is for the buyer at the ERP to fill in.
            unit_cost_minor: line.unit_cost_minor.unwrap_or(0),
        });
        Ok(NewOrder {
            key: key(order)?,
            refusals: order.erp.as_ref().map_or(0, |side| side.refusals),
            supplier: self.settings.supplier(&order.supplier).to_owned(),
            order_on,
            expected_on: date(expected_on).ok_or(Unfit("its expected day is beyond any calendar"))?,
            currency: currency.transpose().map_err(|_| Unfit("its currency is none"))?,
            lines: lines.collect(),
        })
    }

    /// Books what came, and answers what is a person's to look at.
    async fn book(&self, order: &PurchaseOrder, state: &OrderState) -> Result<Vec<String>, Failure> {
        let Seen { come, unclear } = seen(self.settings, order, state);
        self.app.store.receive_from_erp(&order.id, &come, &format!("erp {}", self.kind)).await?;
        Ok(unclear)
    }

    /// Sees what has become of it: what came, when the rest should, and whether it is over.
    async fn look(&self, order: &PurchaseOrder, id: &str) -> Result<(), Failure> {
        let Some((id, key)) = named(order, id) else { return self.unreadable(order).await };
        match self.erp.read(Which::Id(&id, &key)).await {
            Ok(Some(state)) => self.follow(order, &state).await,
            Ok(None) => {
                // In some ERPs, to delete is the only way to cancel.
                self.end(order).await?;
                self.note(order, Note::Withdrawn { concern: None }).await
            }
            Err(error) => self.note(order, failed(order, &error)).await,
        }
    }

    async fn follow(&self, order: &PurchaseOrder, state: &OrderState) -> Result<(), Failure> {
        let unclear = self.book(order, state).await?;
        let concern = concern(order, &[&state.concerns[..], &unclear].concat());
        self.note(order, Note::Seen { expected_on: state.expected_on.and_then(day), concern }).await?;
        match state.status {
            Status::Closed | Status::Canceled if unclear.is_empty() => self.end(order).await,
            _ => Ok(()),
        }
    }

    /// Nothing more comes of it, says the ERP: what has not come is not on its way.
    async fn end(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        match self.app.store.step_purchase_order(&order.id, Step::Cancel).await {
            // All of it came: that is the end of it as well.
            Ok(_) | Err(Failure::Refused(Refusal::WrongStatus { .. })) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Books what came there before anybody there knew of it, and has the rest canceled.
    async fn cancel(&self, order: &PurchaseOrder, id: &str) -> Result<(), Failure> {
        let Some((id, key)) = named(order, id) else { return self.unreadable(order).await };
        let unclear = match self.erp.read(Which::Id(&id, &key)).await {
            Ok(Some(state)) => self.book(order, &state).await?,
            Ok(None) => Vec::new(),
            Err(error) => return self.note(order, failed(order, &error)).await,
        };
        let note = match self.erp.cancel(&id, &key).await {
            Ok(()) => Note::Withdrawn { concern: concern(order, &unclear) },
            Err(error) => failed(order, &error),
        };
        self.note(order, note).await
    }

    /// Whoever was to create it is gone, and whether it did is not known.
    async fn cancel_by_key(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        let Ok(key) = key(order) else { return self.note(order, Note::Withdrawn { concern: None }).await };
        for _ in 0..MAX_UNDER_ONE_KEY {
            let state = match self.erp.read(Which::Key(&key)).await {
                Ok(Some(state)) => state,
                Ok(None) => return self.note(order, Note::Withdrawn { concern: None }).await,
                Err(error) => return self.note(order, failed(order, &error)).await,
            };
            let unclear = self.book(order, &state).await?;
            if state.status != Status::Open {
                return self.note(order, Note::Withdrawn { concern: concern(order, &unclear) }).await;
            }
            if let Err(error) = self.erp.cancel(&state.id, &key).await {
                return self.note(order, failed(order, &error)).await;
            }
        }
        self.note(order, Note::Failed("more orders are under its number than were canceled".to_owned())).await
    }

    async fn unreadable(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        self.note(order, Note::Failed("the ERP's id of it cannot be one".to_owned())).await
    }

    async fn note(&self, order: &PurchaseOrder, note: Note) -> Result<(), Failure> {
        self.app.store.note_erp(&order.id, &note).await.map(drop)
    }
}

/// The items that are more than one SKU of an order.
fn twice<'a>(settings: &'a ErpSettings, order: &'a PurchaseOrder) -> BTreeSet<&'a str> {
    let mut once = BTreeSet::new();
    let items = order.lines.as_slice().iter().map(|line| settings.item(&line.sku));
    items.filter(|item| !once.insert(*item)).collect()
}

/// What the ERP shows of our lines.
fn seen(settings: &ErpSettings, order: &PurchaseOrder, state: &OrderState) -> Seen {
    let twice = twice(settings, order);
    let mut seen = Seen { come: BTreeMap::new(), unclear: Vec::new() };
    for line in order.lines.as_slice() {
        let (sku, item) = (&line.sku, settings.item(&line.sku));
        let received = state.received(item).filter(|_| !twice.contains(item));
        let why = match received {
            Some(units) => {
                seen.come.insert(sku.clone(), units);
                continue;
            }
            // All of it came, says somebody here.
            None if line.open() == 0 => continue,
            // Of an order that was canceled before anything came, nothing came.
            None if state.status == Status::Canceled => continue,
            None if twice.contains(item) => "two SKUs of the order are this item",
            None if !state.has(item) => "the ERP shows no line of it",
            // Nothing more will be said of an order that is over.
            None if state.status == Status::Closed => "the ERP does not say what came of it",
            None => continue,
        };
        seen.unclear.push(format!("item {item}, SKU {sku}: {why}"));
    }
    seen
}

/// What failed. It is said aloud where something was wrong already, as it is the second time in a row, or where nothing is set up.
fn failed(order: &PurchaseOrder, error: &CallError) -> Note {
    let failed_before = order.erp.as_ref().is_some_and(|side| side.trouble.is_some());
    if failed_before || matches!(error, CallError::Unconfigured(_)) {
        tracing::error!(alarm = "erp-unreachable", order = %order.id, %error, "nothing is known from the ERP");
    }
    Note::Failed(error.to_string())
}

/// The ERP's id, and our key; nothing if either cannot be one.
fn named(order: &PurchaseOrder, id: &str) -> Option<(ErpOrderId, OrderKey)> {
    Some((id.parse().ok()?, key(order).ok()?))
}

fn key(order: &PurchaseOrder) -> Result<OrderKey, Unfit> {
    order.id.as_str().parse().map_err(|_| Unfit("its id cannot be a key"))
}

/// What a person should look at, as one text. It is said aloud when it is new.
fn concern(order: &PurchaseOrder, concerns: &[String]) -> Option<String> {
    if concerns.is_empty() {
        return None;
    }
    let words = concerns.join("; ");
    if order.erp.as_ref().and_then(|side| side.trouble.as_ref()) != Some(&words) {
        tracing::error!(alarm = "purchase-order-unclear", order = %order.id, words, "a purchase order is for a person to look at");
    }
    Some(words)
}

fn date(day: Day) -> Option<jiff::civil::Date> {
    Date(day).to_string().parse().ok()
}

/// Nothing for a day before 1970.
fn day(date: jiff::civil::Date) -> Option<Day> {
    date.to_string().parse().ok().map(|Date(day)| day)
}

#[cfg(test)]
mod tests {
    use erp::OrderLine;

    use super::*;

    fn order() -> PurchaseOrder {
        let line = |text: &str| text.parse().unwrap();
        let new = domain::purchase::NewPurchaseOrder {
            id: "po-1234567890abc".parse().unwrap(),
            supplier: "Leaf & Co".parse().unwrap(),
            channel: domain::ids::Channel::own(),
            currency: None,
            lines: domain::purchase::PurchaseLines::new(vec![line("cup=3/3"), line("mug=3/0"), line("tea=12/5")], None)
                .unwrap(),
            expected_on: None,
            lead_time_days: None,
            send: true,
            alert: None,
            actor: "local".to_owned(),
        };
        PurchaseOrder::open(&new, domain::time::Timestamp::from_epoch_seconds(1_800_000_000))
    }

    fn state(status: Status, lines: &[(&str, Option<u64>)]) -> OrderState {
        let line =
            |&(item, received): &(&str, Option<u64>)| OrderLine { item: item.to_owned(), quantity: 12, received };
        let (id, number) = ("98".parse().unwrap(), "PO98".to_owned());
        OrderState {
            id,
            number,
            status,
            expected_on: None,
            lines: lines.iter().map(line).collect(),
            concerns: Vec::new(),
        }
    }

    #[test]
    fn of_what_the_erp_does_not_show_nothing_is_booked_and_a_person_is_told() {
        let items = |tea: &str| [("tea".parse().unwrap(), tea.to_owned())].into();
        let settings = |tea| ErpSettings { items: items(tea), ..ErpSettings::default() };
        let gone = "item mug, SKU mug: the ERP shows no line of it";
        let twice = ["mug", "tea"].map(|sku| format!("item mug, SKU {sku}: two SKUs of the order are this item"));
        for (tea, status, shown, come, unclear) in [
            ("I-1", Status::Open, &[("I-1", Some(7)), ("mug", Some(0))][..], &[("mug", 0), ("tea", 7)][..], &[][..]),
            ("I-1", Status::Open, &[("I-1", Some(7)), ("mug", None)], &[("tea", 7)], &[]),
            ("I-1", Status::Closed, &[("I-1", Some(7)), ("I-9", Some(3))], &[("tea", 7)], &[gone]),
            ("I-1", Status::Open, &[("I-1", Some(7))], &[("tea", 7)], &[gone]),
            (
                "I-1",
                Status::Closed,
                &[("I-1", Some(7)), ("mug", None)],
                &[("tea", 7)],
                &["item mug, SKU mug: the ERP does not say what came of it"],
            ),
            ("I-1", Status::Canceled, &[], &[], &[]),
            ("mug", Status::Open, &[("mug", Some(3))], &[], &[twice[0].as_str(), twice[1].as_str()]),
        ] {
            let (settings, order) = (settings(tea), order());
            let found = seen(&settings, &order, &state(status, shown));
            let come = come.iter().map(|(sku, units)| (sku.parse().unwrap(), *units)).collect();
            let unclear = unclear.iter().map(|words| (*words).to_owned()).collect();
            assert_eq!(found, Seen { come, unclear }, "{tea} {status:?} {shown:?}");
        }
    }

    #[test]
    fn a_day_is_the_same_date_and_back() {
        let date = date(Day::from_epoch_days(20_840)).unwrap();
        assert_eq!((date.to_string().as_str(), day(date)), ("2027-01-22", Some(Day::from_epoch_days(20_840))));
        assert_eq!(day(jiff::civil::date(1969, 12, 31)), None);
    }

    #[test]
    fn concerns_are_one_text_or_none() {
        assert_eq!(concern(&order(), &[]), None);
        assert_eq!(concern(&order(), &["a".to_owned(), "b".to_owned()]).as_deref(), Some("a; b"));
    }
}
