//! How a purchase order changes: what it is asked to do, and what it is afterwards. Nothing is written here.
//!
//! | | draft | sent | acknowledged | partially received | received | canceled |
//! |---|---|---|---|---|---|---|
//! | send | sent | same | same | same | same | no |
//! | acknowledge | no | acknowledged | another day | another day | no | no |
//! | receive | no | came | came | came | no | booked, while the ERP has it still; else no |
//! | retry | no | again | again | again | no | no |
//! | cancel | canceled | canceled | canceled | canceled | no | same |
//!
//! *Again*, where the ERP has refused it; else the same. *Came* is partially received, or received once no line is open. What came is a fact: more than was ordered is booked as well. After the
//! last of it came, or it was canceled, what comes still is a movement of its own.

use std::collections::BTreeMap;

use super::{PurchaseOrder, Status};
use crate::{
    ids::{Channel, Fingerprint, PurchaseOrderId, ReceiptId, Sku},
    limits::MAX_QUANTITY,
    movement::{Movement, MovementKind},
    quantity::Quantity,
    refusal::{FieldError, Refusal},
    time::{Day, Timestamp},
};

/// What a purchase order is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Be on its way.
    Send,
    /// The supplier has it, and says when it comes, perhaps: the first word, or another one.
    Acknowledge {
        /// The day; what is known already where nothing is said.
        expected_on: Option<Day>,
    },
    /// Bring nothing more.
    Cancel,
    /// Be tried again in the ERP, which has refused it.
    Retry,
}

/// Units of a purchase order that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Derived from the caller and the `Idempotency-Key`, or from what an ERP says: it is booked once.
    pub id: ReceiptId,
    /// Of which order.
    pub order: PurchaseOrderId,
    /// How many, by SKU. At least one SKU.
    pub lines: BTreeMap<Sku, Quantity>,
    /// Where they are sold from now on, if not where the order says.
    pub channel: Option<Channel>,
    /// Who says so.
    pub actor: String,
}

impl Receipt {
    /// What is asked for: the same key with another fingerprint is a reused key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let lines: Vec<String> = self.lines.iter().map(|(sku, units)| format!("{sku}={units}")).collect();
        let mut parts = vec![self.order.as_str(), self.channel.as_ref().map_or("", Channel::as_str)];
        parts.extend(lines.iter().map(String::as_str));
        Fingerprint::of("receipt", &parts)
    }

    /// The movements by which its units come into these stocks, at `at`; less those that are set aside for `promised` ones.
    #[must_use]
    pub fn movements(
        &self,
        into: impl Fn(&Sku) -> Channel,
        promised: impl Fn(&Sku) -> u64,
        at: Timestamp,
    ) -> Vec<Movement> {
        let movement = |(part, (sku, units)): (usize, (&Sku, &Quantity))| Movement {
            id: crate::ids::MovementId::of_receipt(&self.id, part),
            stock: crate::bucket::StockId { sku: sku.clone(), channel: into(sku) },
            kind: MovementKind::Receive(*units),
            delta: units.units().saturating_sub(promised(sku)).cast_signed(),
            shortfall: 0,
            other: None,
            reason: crate::ids::Reason::of_receipt(&self.order),
            actor: self.actor.clone(),
            at,
            fingerprint: self.fingerprint(),
        };
        self.lines.iter().enumerate().map(movement).collect()
    }
}

impl PurchaseOrder {
    /// The order after this step; nothing if it is so already.
    ///
    /// # Errors
    /// [`Refusal::WrongStatus`] where its status does not allow it.
    pub fn after(&self, step: Step, at: Timestamp) -> Result<Option<Self>, Refusal> {
        match step {
            Step::Send => self.sent(at),
            Step::Acknowledge { expected_on } => self.acknowledged(expected_on),
            Step::Cancel => self.canceled(at),
            Step::Retry => self.retried(),
        }
    }

    fn sent(&self, at: Timestamp) -> Result<Option<Self>, Refusal> {
        match self.status {
            Status::Draft => {
                let on_average = self.lead_time_days.map(|days| Day::of(at).plus_days(days));
                let expected_on = self.expected_on.or(on_average);
                Ok(Some(Self { status: Status::Sent, sent_at: Some(at), expected_on, ..self.next() }))
            }
            Status::Canceled => Err(self.cannot("be sent")),
            _ => Ok(None),
        }
    }

    fn acknowledged(&self, expected_on: Option<Day>) -> Result<Option<Self>, Refusal> {
        let status = match self.status {
            Status::Sent => Status::Acknowledged,
            Status::Acknowledged | Status::PartiallyReceived => self.status,
            _ => return Err(self.cannot("be acknowledged")),
        };
        let expected_on = expected_on.or(self.expected_on);
        let is_news = status != self.status || expected_on != self.expected_on;
        Ok(is_news.then(|| Self { status, expected_on, ..self.next() }))
    }

    fn canceled(&self, at: Timestamp) -> Result<Option<Self>, Refusal> {
        match self.status {
            Status::Canceled => Ok(None),
            Status::Received => Err(self.cannot("be canceled")),
            _ => Ok(Some(Self { status: Status::Canceled, closed_at: Some(at), ..self.next() })),
        }
    }

    /// The order after these units came.
    ///
    /// # Errors
    /// [`Refusal::WrongStatus`] where nothing can come; [`Refusal::InvalidRequest`] where a SKU is not on the order, or more would have come
    /// of one than anybody can count.
    pub fn received(&self, came: &BTreeMap<Sku, Quantity>, at: Timestamp) -> Result<Self, Refusal> {
        if !self.can_receive() {
            return Err(self.cannot("receive units"));
        }
        let mut lines = self.lines.clone();
        let mut errors = Vec::new();
        for (index, (sku, units)) in came.iter().enumerate() {
            let mut refuse = |field: &str, detail: String| {
                errors.push(FieldError { field: format!("lines[{index}].{field}"), detail });
            };
            match lines.of_mut(sku) {
                None => refuse("sku", format!("names SKU {sku}, which is not on the purchase order")),
                Some(line) if line.received + units.units() > MAX_QUANTITY => {
                    refuse("quantity", format!("makes more than {MAX_QUANTITY} units of SKU {sku} in all"));
                }
                Some(line) => line.received += units.units(),
            }
        }
        if !errors.is_empty() {
            return Err(Refusal::InvalidRequest { errors });
        }
        if self.status == Status::Canceled {
            return Ok(Self { lines, ..self.next() });
        }
        let all_came = lines.as_slice().iter().all(|line| line.open() == 0);
        let status = if all_came { Status::Received } else { Status::PartiallyReceived };
        Ok(Self { status, lines, closed_at: all_came.then_some(at), ..self.next() })
    }

    /// Whether units can come of it. Also of an order that is canceled here, until it is canceled in the ERP as well: who unpacks boxes there
    /// does not know yet.
    #[must_use]
    pub fn can_receive(&self) -> bool {
        self.status.is_on_its_way() || self.is_to_be_withdrawn()
    }

    pub(super) fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    pub(super) fn cannot(&self, cannot: &'static str) -> Refusal {
        Refusal::WrongStatus { status: self.status.word(), cannot }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::order, *};

    fn came(lines: &[(&str, u64)]) -> BTreeMap<Sku, Quantity> {
        lines.iter().map(|(sku, units)| (sku.parse().unwrap(), Quantity::new(*units).unwrap())).collect()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch_seconds(1_800_000_000 + seconds)
    }

    fn later() -> Step {
        Step::Acknowledge { expected_on: Some(Day::from_epoch_days(20_850)) }
    }

    #[test]
    fn each_status_allows_what_the_table_says() {
        let said = |outcome: Result<Option<PurchaseOrder>, Refusal>| match outcome {
            Ok(Some(order)) => order.status.word(),
            Ok(None) => "same",
            Err(Refusal::WrongStatus { .. }) => "no",
            Err(refusal) => panic!("{refusal:?}"),
        };
        let word = Step::Acknowledge { expected_on: None };
        for (status, send, acknowledge, again, part, all, cancel) in [
            ("draft", "sent", "no", "no", "no", "no", "canceled"),
            ("sent", "same", "acknowledged", "acknowledged", "partially_received", "received", "canceled"),
            ("acknowledged", "same", "same", "acknowledged", "partially_received", "received", "canceled"),
            ("partially_received", "same", "same", "partially_received", "partially_received", "received", "canceled"),
            ("received", "same", "no", "no", "no", "no", "no"),
            ("canceled", "no", "no", "no", "no", "no", "same"),
        ] {
            let order = order(status.parse().unwrap(), &["milk=3/0", "tea=12/5"]);
            assert_eq!(said(order.after(Step::Send, at(1))), send, "{status}: send");
            assert_eq!(said(order.after(word, at(1))), acknowledge, "{status}: acknowledge");
            assert_eq!(said(order.after(later(), at(1))), again, "{status}: another day");
            assert_eq!(said(order.received(&came(&[("tea", 7)]), at(1)).map(Some)), part, "{status}: a part");
            let rest = came(&[("tea", 7), ("milk", 3)]);
            assert_eq!(said(order.received(&rest, at(1)).map(Some)), all, "{status}: the rest");
            assert_eq!(said(order.after(Step::Cancel, at(1))), cancel, "{status}: cancel");
        }
    }

    #[test]
    fn a_step_changes_what_it_says_and_raises_the_version() {
        let draft = order(Status::Draft, &["tea=12/0"]);
        let sent = draft.after(Step::Send, at(1)).unwrap().unwrap();
        assert_eq!((draft.sent_at, sent.sent_at, sent.version), (None, Some(at(1)), 2));
        let slipped = sent.after(later(), at(2)).unwrap().unwrap();
        assert_eq!((slipped.expected_on, slipped.version), (Some(Day::from_epoch_days(20_850)), 3));
        let kept = slipped.received(&came(&[("tea", 1)]), at(3)).unwrap();
        assert_eq!((kept.expected_on, kept.closed_at), (slipped.expected_on, None));
        let canceled = kept.after(Step::Cancel, at(4)).unwrap().unwrap();
        assert_eq!((canceled.closed_at, canceled.lines.as_slice()[0].received), (Some(at(4)), 1));
        let cannot = canceled.after(Step::Send, at(5)).unwrap_err();
        assert_eq!(cannot, Refusal::WrongStatus { status: "canceled", cannot: "be sent" });
    }

    #[test]
    fn what_is_sent_is_expected_a_lead_time_later_unless_a_day_is_known() {
        let draft = PurchaseOrder { lead_time_days: Some(7), expected_on: None, ..order(Status::Draft, &["tea=12/0"]) };
        let sent = |draft: &PurchaseOrder| draft.after(Step::Send, at(1)).unwrap().unwrap().expected_on;
        assert_eq!(sent(&draft), Some(Day::of(at(1)).plus_days(7)));
        let day = Some(Day::from_epoch_days(20_850));
        assert_eq!(sent(&PurchaseOrder { expected_on: day, ..draft.clone() }), day);
        assert_eq!(sent(&PurchaseOrder { lead_time_days: None, ..draft }), None);
    }

    #[test]
    fn more_than_was_ordered_is_booked_and_what_was_not_ordered_is_refused() {
        let order = order(Status::Sent, &["milk=3/0", "tea=12/0"]);
        let more = order.received(&came(&[("tea", 20)]), at(1)).unwrap();
        assert_eq!((more.status, more.lines.as_slice()[1].received), (Status::PartiallyReceived, 20));
        let all = more.received(&came(&[("milk", 4)]), at(2)).unwrap();
        assert_eq!((all.status, all.closed_at), (Status::Received, Some(at(2))));
        let fields = |lines: &[(&str, u64)]| match order.received(&came(lines), at(1)) {
            Err(Refusal::InvalidRequest { errors }) => errors.into_iter().map(|error| error.field).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(fields(&[("milk", 1), ("mug", 1)]), ["lines[1].sku"]);
        let order = more;
        let too_many = order.received(&came(&[("tea", MAX_QUANTITY)]), at(1)).unwrap_err();
        assert!(matches!(too_many, Refusal::InvalidRequest { errors } if errors[0].field == "lines[0].quantity"));
    }

    #[test]
    fn a_receipt_is_a_movement_for_each_sku() {
        let receipt = Receipt {
            id: ReceiptId::derive(&crate::ids::Caller::new("c"), &"k".parse().unwrap()),
            order: order(Status::Sent, &["tea=1/0"]).id,
            lines: came(&[("tea", 2), ("milk", 1)]),
            channel: None,
            actor: "clerk".to_owned(),
        };
        let movements = receipt.movements(|_| Channel::shared(), |_| 0, at(1));
        let shown: Vec<_> = movements.iter().map(|m| (m.stock.to_string(), m.kind.word(), m.delta)).collect();
        assert_eq!(shown, [("milk#shared".to_owned(), "receive", 1), ("tea#shared".to_owned(), "receive", 2)]);
        assert_ne!(movements[0].id, movements[1].id);
        assert_eq!(movements[0].reason.as_str(), format!("purchase order {}", receipt.order));
        let awaited = receipt.movements(|_| Channel::shared(), |sku| u64::from(sku.as_str() == "milk"), at(1));
        let shown: Vec<_> = awaited.iter().map(|m| (m.kind.quantity(), m.delta)).collect();
        assert_eq!(shown, [(1, 0), (2, 2)], "it came, and somebody waited for it");
        let elsewhere = Receipt { channel: Some(Channel::own()), ..receipt.clone() };
        let more = Receipt { lines: came(&[("tea", 3), ("milk", 1)]), ..receipt.clone() };
        assert_ne!(receipt.fingerprint(), elsewhere.fingerprint());
        assert_ne!(receipt.fingerprint(), more.fingerprint());
    }

    #[derive(Debug, Clone)]
    enum Event {
        Step(Step),
        Came(Vec<(&'static str, u64)>),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Step(Step::Send)),
            prop::option::of(20_000_u64..20_010)
                .prop_map(|day| Event::Step(Step::Acknowledge { expected_on: day.map(Day::from_epoch_days) })),
            Just(Event::Step(Step::Cancel)),
            (1_u64..9, 0_u64..9).prop_map(|(tea, milk)| {
                let milk = (milk > 0).then_some(("milk", milk));
                Event::Came([Some(("tea", tea)), milk].into_iter().flatten().collect())
            }),
            (1_u64..9).prop_map(|milk| Event::Came(vec![("milk", milk)])),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: an order never goes back, what came is the sum of what was accepted, and what is on its way is
        /// what was ordered and has not come, from the sending to the end.
        #[test]
        fn an_order_only_goes_forward(events in prop::collection::vec(event(), 0..20)) {
            let mut now = order(Status::Draft, &["milk=7/0", "tea=12/0"]);
            let mut sums: BTreeMap<Sku, u64> = BTreeMap::new();
            for (second, event) in events.into_iter().enumerate() {
                let before = now.clone();
                let next = match &event {
                    Event::Step(step) => before.after(*step, at(second as u64)),
                    Event::Came(lines) => before.received(&came(lines), at(second as u64)).map(Some),
                };
                if let Ok(Some(next)) = next {
                    prop_assert!(!before.status.is_final(), "{before:?} {event:?}");
                    prop_assert!(next.status >= before.status && next.version == before.version + 1);
                    if let Event::Came(lines) = &event {
                        for (sku, units) in lines {
                            *sums.entry(sku.parse().unwrap()).or_default() += units;
                        }
                    }
                    now = next;
                }
                let came = |sku: &Sku| sums.get(sku).copied().unwrap_or(0);
                for line in now.lines.as_slice() {
                    prop_assert_eq!(line.received, came(&line.sku));
                    let to_come = if now.status.is_on_its_way() { line.open() } else { 0 };
                    prop_assert_eq!(now.incoming(&line.sku).map_or(0, super::super::Incoming::units), to_come);
                }
                let all_came = now.lines.as_slice().iter().all(|line| line.open() == 0);
                prop_assert_eq!(now.status == Status::Received, all_came);
                prop_assert_eq!(now.closed_at.is_some(), now.status.is_final());
                prop_assert!(now.sent_at.is_some() || matches!(now.status, Status::Draft | Status::Canceled));
            }
        }
    }
}
