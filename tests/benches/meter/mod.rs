//! Counts what is asked of DynamoDB.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut},
    },
    error::BoxError,
    operation::{
        put_item::{PutItemInput, PutItemOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};

/// One call's budget: requests that write, requests that read, units written.
pub type Budget = (usize, usize, f64);

/// Counts requests and units since the last look.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Budget>>);

impl Meter {
    /// What was used since the last look.
    pub fn take(&self) -> Budget {
        std::mem::take(&mut *self.0.lock().expect("no panic while counting"))
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut used = self.0.lock().expect("no panic while counting");
        let total = Some(ReturnConsumedCapacity::Total);
        if let Some(update) = context.input_mut().downcast_mut::<UpdateItemInput>() {
            update.return_consumed_capacity = total;
            used.0 += 1;
        } else if let Some(put) = context.input_mut().downcast_mut::<PutItemInput>() {
            put.return_consumed_capacity = total;
            used.0 += 1;
        } else {
            // Transactions would land here too, and break the budget: there is none on a shopper's path.
            used.1 += 1;
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        let update = output.downcast_ref::<UpdateItemOutput>().and_then(UpdateItemOutput::consumed_capacity);
        let put = output.downcast_ref::<PutItemOutput>().and_then(PutItemOutput::consumed_capacity);
        let units = update.or(put).and_then(ConsumedCapacity::capacity_units);
        self.0.lock().expect("no panic while counting").2 += units.unwrap_or_default();
        Ok(())
    }
}
