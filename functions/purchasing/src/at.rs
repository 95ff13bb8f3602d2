//! One purchase order, at the ERP.

use std::collections::BTreeMap;

use domain::{
    erp::{ErpKind, ErpSettings},
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
struct Unfit(&'static str);

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
        let Some(order) = self.app.store.note_erp(&order.id, &Note::Asked).await? else { return Ok(()) };
        if order.task(self.settings, self.app.now()) != Task::Create {
            // Canceled, or refused, or placed by another call meanwhile.
            return Ok(());
        }
        let new = match self.new_order(&order) {
            Ok(new) => new,
            Err(Unfit(why)) => return self.note(&order, Note::Refused(why.to_owned())).await,
        };
        let note = match self.erp.create(&new).await {
            Ok(Created { id, number, was_there, concerns }) => {
                tracing::info!(order = %order.id, erp_order = %id, was_there, "a purchase order is in the ERP");
                let expected_on = day(new.expected_on).unwrap_or_else(|| Day::of(order.created_at));
                Note::Placed { kind: self.kind, id: id.to_string(), number, expected_on, concern: concern(&concerns) }
            }
            Err(CallError::Refused { reason }) => {
                tracing::error!(alarm = "purchase-order-refused", order = %order.id, reason, "the ERP refuses a purchase order");
                Note::Refused(reason)
            }
            Err(error) => Note::Failed(error.to_string()),
        };
        self.note(&order, note).await
    }

    fn new_order(&self, order: &PurchaseOrder) -> Result<NewOrder, Unfit> {
        let ordered_on = Day::of(order.sent_at.unwrap_or(order.created_at));
        let order_on = date(ordered_on).ok_or(Unfit("its date is beyond any calendar"))?;
        let expected_on = order.expected_on.unwrap_or(ordered_on);
        let currency = order.currency.as_ref().map(|currency| currency.as_str().parse());
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

    /// Sees what has become of it: what came, when the rest should, and whether it is over.
    async fn look(&self, order: &PurchaseOrder, id: &str) -> Result<(), Failure> {
        let Ok(id) = id.parse::<ErpOrderId>() else { return self.unreadable(order).await };
        match self.erp.read(Which::Id(&id)).await {
            Ok(Some(state)) => self.follow(order, &state).await,
            Ok(None) => {
                // In some ERPs, to delete is the only way to cancel.
                self.end(order).await?;
                self.note(order, Note::Withdrawn).await
            }
            Err(error) => self.note(order, Note::Failed(error.to_string())).await,
        }
    }

    async fn follow(&self, order: &PurchaseOrder, state: &OrderState) -> Result<(), Failure> {
        let lines = order.lines.as_slice().iter();
        let come: BTreeMap<Sku, u64> =
            lines.filter_map(|line| Some((line.sku.clone(), state.received(self.settings.item(&line.sku))?))).collect();
        let actor = format!("erp {}", self.kind);
        self.app.store.receive_from_erp(&order.id, &come, &actor).await?;
        let seen = Note::Seen { expected_on: state.expected_on.and_then(day), concern: concern(&state.concerns) };
        self.note(order, seen).await?;
        match state.status {
            Status::Open => Ok(()),
            Status::Closed | Status::Canceled => self.end(order).await,
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

    async fn cancel(&self, order: &PurchaseOrder, id: &str) -> Result<(), Failure> {
        let Ok(id) = id.parse::<ErpOrderId>() else { return self.unreadable(order).await };
        let note = match self.erp.cancel(&id).await {
            Ok(()) => Note::Withdrawn,
            Err(error) => Note::Failed(error.to_string()),
        };
        self.note(order, note).await
    }

    /// Whoever was to create it is gone, and whether it did is not known.
    async fn cancel_by_key(&self, order: &PurchaseOrder) -> Result<(), Failure> {
        let Ok(key) = key(order) else { return self.note(order, Note::Withdrawn).await };
        for _ in 0..MAX_UNDER_ONE_KEY {
            let canceled = match self.erp.read(Which::Key(&key)).await {
                Ok(Some(state)) if state.status == Status::Open => self.erp.cancel(&state.id).await,
                Ok(_) => return self.note(order, Note::Withdrawn).await,
                Err(error) => Err(error),
            };
            if let Err(error) = canceled {
                return self.note(order, Note::Failed(error.to_string())).await;
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

fn key(order: &PurchaseOrder) -> Result<OrderKey, Unfit> {
    order.id.as_str().parse().map_err(|_| Unfit("its id cannot be a key"))
}

fn concern(concerns: &[String]) -> Option<String> {
    (!concerns.is_empty()).then(|| concerns.join("; "))
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
    use super::*;

    #[test]
    fn a_day_is_the_same_date_and_back() {
        let date = date(Day::from_epoch_days(20_840)).unwrap();
        assert_eq!((date.to_string().as_str(), day(date)), ("2027-01-22", Some(Day::from_epoch_days(20_840))));
        assert_eq!(day(jiff::civil::date(1969, 12, 31)), None);
    }

    #[test]
    fn concerns_are_one_text_or_none() {
        assert_eq!(concern(&[]), None);
        assert_eq!(concern(&["a".to_owned(), "b".to_owned()]).as_deref(), Some("a; b"));
    }
}
