//! Sending conditional writes: one at a time, or several as a transaction; what came of them; and when to try again.
//!
//! The SDK retries what it can be sure of (throttling, server errors, lost replies); it re-sends writes whose reply was lost, so
//! every [`Write`] here has a condition that a second application fails. What the SDK does not retry is retried here, a bounded
//! number of times and with jitter: a plain write that met a transaction, and a transaction that was canceled by another one.

use std::{borrow::Cow, fmt, time::Duration};

use aws_sdk_dynamodb::{
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError, transact_write_items::TransactWriteItemsError,
        update_item::UpdateItemError,
    },
    types::{
        AttributeValue, CancellationReason, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, Update,
    },
};
use domain::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    Fault, Item, Store,
    fault::{Class, classify},
    item::text,
    keys,
};

/// How often one write is tried before it is given up. With the pauses below: about a third of a second.
const MAX_ATTEMPTS: u32 = 6;

/// The pause after the first attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// One conditional write to one item, as DynamoDB takes it.
#[derive(Debug, Clone)]
pub struct Write {
    action: Action,
    key: String,
    condition: String,
    names: Vec<(Cow<'static, str>, String)>,
    values: Vec<(String, AttributeValue)>,
}

#[derive(Debug, Clone)]
enum Action {
    Update(String),
    Put(Item),
    Delete,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It was applied; the item afterwards (nothing for a deletion, or where it was not asked for).
    Applied(Option<Item>),
    /// Its condition failed; the item that was found, if any.
    Refused(Option<Item>),
}

/// What came of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Transacted {
    /// All of it was applied.
    Applied,
    /// Some condition failed: what each write met, in order.
    Refused(Vec<Met>),
}

/// What one write of a refused transaction met.
#[derive(Debug, Clone, PartialEq)]
pub enum Met {
    /// Its own condition held.
    Fine,
    /// Its condition failed; the item that was found, if any.
    Failed(Option<Item>),
}

impl Write {
    /// An update expression under a condition.
    pub(crate) fn update(key: String, expression: impl Into<String>, condition: impl Into<String>) -> Self {
        Self { action: Action::Update(expression.into()), ..Self::delete(key, condition) }
    }

    /// A whole item under a condition.
    pub(crate) fn put(item: Item, condition: impl Into<String>) -> Self {
        let key = keys::of(&item).to_owned();
        Self { action: Action::Put(item), ..Self::delete(key, condition) }
    }

    /// A deletion under a condition.
    pub(crate) fn delete(key: String, condition: impl Into<String>) -> Self {
        Self { action: Action::Delete, key, condition: condition.into(), names: Vec::new(), values: Vec::new() }
    }

    /// Names an attribute that an expression cannot spell: a reserved word, or an id.
    pub(crate) fn name(mut self, placeholder: impl Into<Cow<'static, str>>, name: impl fmt::Display) -> Self {
        self.names.push((placeholder.into(), name.to_string()));
        self
    }

    /// The expression and the condition, once both are complete.
    pub(crate) fn saying(mut self, expression: String, condition: String) -> Self {
        self.action = Action::Update(expression);
        self.condition = condition;
        self
    }

    /// Gives a value to a placeholder.
    pub(crate) fn value(mut self, placeholder: impl Into<String>, value: AttributeValue) -> Self {
        self.values.push((placeholder.into(), value));
        self
    }

    fn names(&self) -> Option<std::collections::HashMap<String, String>> {
        let names = self.names.iter().map(|(placeholder, name)| (placeholder.to_string(), name.clone()));
        (!self.names.is_empty()).then(|| names.collect())
    }

    fn values(&self) -> Option<Item> {
        (!self.values.is_empty()).then(|| self.values.iter().cloned().collect())
    }

    fn into_transact_item(self, table: &str) -> Result<TransactWriteItem, Fault> {
        let (names, values) = (self.names(), self.values());
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        let item = TransactWriteItem::builder();
        let built = match self.action {
            Action::Update(expression) => Update::builder()
                .table_name(table)
                .key(keys::PK, text(self.key))
                .update_expression(expression)
                .condition_expression(self.condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(old)
                .build()
                .map(|update| item.update(update)),
            Action::Put(content) => Put::builder()
                .table_name(table)
                .set_item(Some(content))
                .condition_expression(self.condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(old)
                .build()
                .map(|put| item.put(put)),
            Action::Delete => Delete::builder()
                .table_name(table)
                .key(keys::PK, text(self.key))
                .condition_expression(self.condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(old)
                .build()
                .map(|delete| item.delete(delete)),
        };
        let built =
            built.map_err(|error| Fault::Rejected { operation: "build a transaction", reason: error.to_string() })?;
        Ok(built.build())
    }
}

/// What a reviewer sees in a golden file.
impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Update(expression) => writeln!(f, "UPDATE {}\n   {expression}", self.key)?,
            Action::Put(item) => {
                writeln!(f, "PUT {}", self.key)?;
                let mut attributes: Vec<_> = item.iter().filter(|(name, _)| *name != keys::PK).collect();
                attributes.sort_by_key(|(name, _)| *name);
                for (name, value) in attributes {
                    writeln!(f, "   {name} = {}", Plain(value))?;
                }
            }
            Action::Delete => writeln!(f, "DELETE {}", self.key)?,
        }
        writeln!(f, "IF {}", self.condition)?;
        for (placeholder, name) in &self.names {
            writeln!(f, "   {placeholder} = {name}")?;
        }
        for (placeholder, value) in &self.values {
            writeln!(f, "   {placeholder} = {}", Plain(value))?;
        }
        Ok(())
    }
}

/// An attribute value as a person writes it.
struct Plain<'a>(&'a AttributeValue);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AttributeValue::N(number) => write!(f, "{number}"),
            AttributeValue::S(text) => write!(f, "{text:?}"),
            AttributeValue::L(list) => {
                write!(f, "[")?;
                for (n, value) in list.iter().enumerate() {
                    write!(f, "{}{}", if n == 0 { "" } else { ", " }, Plain(value))?;
                }
                write!(f, "]")
            }
            AttributeValue::M(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(name, _)| *name);
                write!(f, "{{")?;
                for (n, (name, value)) in entries.into_iter().enumerate() {
                    write!(f, "{}{name}: {}", if n == 0 { "" } else { ", " }, Plain(value))?;
                }
                write!(f, "}}")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl Store {
    /// Applies a write, or says what its condition met. Tries again where the SDK does not.
    pub(crate) async fn write(&self, write: &Write) -> Result<Written, Fault> {
        let pauses = Pauses::of(&write.key);
        for attempt in 0..MAX_ATTEMPTS {
            match self.write_once(write, None).await {
                Ok(written) => return Ok(written),
                Err(Class::Fault(fault)) => return Err(fault),
                Err(Class::Conflict) => pauses.pause(attempt).await,
            }
        }
        Err(Fault::Unavailable { operation: "write an item", reason: "a transaction was always in its way".to_owned() })
    }

    /// Applies a write that must not be signed at or after `deadline`. Nothing when the deadline came first.
    ///
    /// The SDK's own retries are off, for each of them would be signed anew; the loop looks at the clock each time. The signature
    /// carries the very instant that was compared with the deadline, so that a process frozen in between sends a request that is
    /// already ageing: DynamoDB refuses it five minutes after that instant, whenever it arrives.
    pub(crate) async fn write_before(&self, deadline: Timestamp, write: &Write) -> Result<Option<Written>, Fault> {
        let pauses = Pauses::of(&write.key);
        let mut last =
            Fault::Unavailable { operation: "record", reason: "a transaction was always in its way".to_owned() };
        for attempt in 0..MAX_ATTEMPTS {
            let now = self.now();
            if now >= deadline {
                return Ok(None);
            }
            match self.write_once(write, Some(now)).await {
                Ok(written) => return Ok(Some(written)),
                Err(Class::Fault(fault)) if !fault.is_transient() => return Err(fault),
                Err(Class::Fault(fault)) => last = fault,
                Err(Class::Conflict) => {}
            }
            pauses.pause(attempt).await;
        }
        Err(last)
    }

    async fn write_once(&self, write: &Write, signed_at: Option<Timestamp>) -> Result<Written, Class> {
        let single = signed_at.map(|instant| {
            aws_sdk_dynamodb::config::Builder::new()
                .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
                .time_source(aws_smithy_async::time::StaticTimeSource::from_secs(instant.epoch_seconds()))
                // A correction would move the signature away from the instant that was checked; and measured against a clock
                // that stands still, a process that was frozen would pass for a skewed clock.
                .disable_clock_skew_correction(true)
        });
        match write.action.clone() {
            Action::Update(expression) => self.update_once(write, expression, single).await,
            Action::Put(item) => self.put_once(write, item, single).await,
            Action::Delete => self.delete_once(write).await,
        }
    }

    async fn update_once(
        &self,
        write: &Write,
        expression: String,
        single: Option<ConfigOverride>,
    ) -> Result<Written, Class> {
        let request = self
            .client
            .update_item()
            .table_name(&*self.table)
            .key(keys::PK, text(&write.key))
            .update_expression(expression)
            .condition_expression(&write.condition)
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize();
        let request = match single {
            Some(single) => request.config_override(single),
            None => request,
        };
        match request.send().await {
            Ok(output) => Ok(Written::Applied(output.attributes)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::Refused(failed.item.clone()))
                }
                _ => Err(classify("update an item", &error)),
            },
        }
    }

    async fn put_once(&self, write: &Write, item: Item, single: Option<ConfigOverride>) -> Result<Written, Class> {
        let request = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item.clone()))
            .condition_expression(&write.condition)
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize();
        let request = match single {
            Some(single) => request.config_override(single),
            None => request,
        };
        match request.send().await {
            Ok(_) => Ok(Written::Applied(Some(item))),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::Refused(failed.item.clone()))
                }
                _ => Err(classify("put an item", &error)),
            },
        }
    }

    async fn delete_once(&self, write: &Write) -> Result<Written, Class> {
        let request = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .key(keys::PK, text(&write.key))
            .condition_expression(&write.condition)
            .set_expression_attribute_names(write.names())
            .set_expression_attribute_values(write.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(_) => Ok(Written::Applied(None)),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Written::Refused(failed.item.clone()))
                }
                _ => Err(classify("delete an item", &error)),
            },
        }
    }

    /// Applies all of the writes or none of them. For homes, movements and cold children: never on a shopper's path.
    pub(crate) async fn transact(&self, writes: Vec<Write>) -> Result<Transacted, Fault> {
        let seed = writes.iter().map(|write| write.key.as_str()).collect::<Vec<_>>().join(" ");
        let pauses = Pauses::of(&seed);
        for attempt in 0..MAX_ATTEMPTS {
            if let Some(transacted) = self.transact_once(writes.clone()).await? {
                return Ok(transacted);
            }
            pauses.pause(attempt).await;
        }
        Err(Fault::Unavailable { operation: "write a transaction", reason: "others were always in its way".to_owned() })
    }

    /// The same, tried once: nothing if it was canceled because others were in its way.
    pub(crate) async fn transact_once(&self, writes: Vec<Write>) -> Result<Option<Transacted>, Fault> {
        let items = writes.into_iter().map(|write| write.into_transact_item(&self.table)).collect::<Result<_, _>>()?;
        let request = self.client.transact_write_items().set_transact_items(Some(items));
        let Err(error) = request.send().await else {
            return Ok(Some(Transacted::Applied));
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                Ok(refused(canceled.cancellation_reasons())?.map(Transacted::Refused))
            }
            _ => match classify("write a transaction", &error) {
                Class::Fault(fault) => Err(fault),
                Class::Conflict => Ok(None),
            },
        }
    }
}

type ConfigOverride = aws_sdk_dynamodb::config::Builder;

/// What each condition of a canceled transaction met; nothing if it was canceled for another cause and may be tried again.
fn refused(reasons: &[CancellationReason]) -> Result<Option<Vec<Met>>, Fault> {
    let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
    if let Some(bad) = reasons.iter().find(|reason| code(reason) == "ValidationError") {
        let reason = bad.message().unwrap_or_default().to_owned();
        return Err(Fault::Rejected { operation: "write a transaction", reason });
    }
    if !reasons.iter().any(|reason| code(reason) == "ConditionalCheckFailed") {
        return Ok(None);
    }
    let met = |reason: &CancellationReason| match code(reason).as_str() {
        "ConditionalCheckFailed" => Met::Failed(reason.item.clone()),
        _ => Met::Fine,
    };
    Ok(Some(reasons.iter().map(met).collect()))
}

/// Pauses between attempts: doubling, and spread by a number that derives from what is written, so that two processes that
/// collide do not collide again in step and a test can repeat them.
pub(crate) struct Pauses {
    seed: [u8; 32],
}

impl Pauses {
    pub(crate) fn of(seed: &str) -> Self {
        Self { seed: Sha256::digest(seed).into() }
    }

    pub(crate) async fn pause(&self, attempt: u32) {
        let spread = u32::from(self.seed[attempt as usize % self.seed.len()]);
        // Half of the pause is certain, the other half is spread evenly.
        let pause = FIRST_PAUSE * 2_u32.pow(attempt.min(MAX_ATTEMPTS));
        tokio::time::sleep(pause / 2 + pause / 2 * spread / 255).await;
    }
}
