//! Message move tasks: from a dead-letter queue to another queue, or back to where its messages came from.
//!
//! A task is over before it is answered. What is in flight is not moved, as on AWS.

use std::sync::PoisonError;

use rustack_sqs_model::{
    error::SqsError,
    input::{ListMessageMoveTasksInput, StartMessageMoveTaskInput},
    output::{ListMessageMoveTasksOutput, StartMessageMoveTaskOutput},
    types::ListMessageMoveTasksResultEntry,
};

use super::{
    handler::{Server, now},
    queue::by_arn,
};

impl Server {
    pub(super) async fn start_move(
        &self,
        input: StartMessageMoveTaskInput,
    ) -> Result<StartMessageMoveTaskOutput, SqsError> {
        let no_source =
            |_| SqsError::resource_not_found("The resource that you specified for the SourceArn doesn't exist.");
        let source = by_arn(&self.rustack, &input.source_arn).await.map_err(no_source)?;
        // Each with where it came from; all of them, if the caller says where they go.
        let mut targets = Vec::new();
        if let Some(arn) = &input.destination_arn {
            targets.push((None, by_arn(&self.rustack, arn).await?));
        } else {
            let sources = self.fifo(|fifo| fifo.sources(&source.name))?;
            for arn in sources {
                let arn = arn.ok_or_else(|| {
                    SqsError::invalid_parameter_value(
                        "Some messages came from no queue: the task needs a DestinationArn.",
                    )
                })?;
                let target = by_arn(&self.rustack, &arn).await?;
                targets.push((Some(arn), target));
            }
        }
        let started = now();
        let mut count = 0;
        for (from, to) in &targets {
            count += self.fifo(|fifo| fifo.redrive(&source.name, from.as_deref(), &to.name, started))?;
            self.tell(&to.name);
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = format!("{}#{}", input.source_arn, moves.len());
        moves.push(ListMessageMoveTasksResultEntry {
            source_arn: Some(input.source_arn),
            destination_arn: input.destination_arn,
            max_number_of_messages_per_second: input.max_number_of_messages_per_second,
            approximate_number_of_messages_moved: Some(count),
            approximate_number_of_messages_to_move: Some(count),
            status: Some("COMPLETED".into()),
            started_timestamp: Some(started),
            ..Default::default()
        });
        Ok(StartMessageMoveTaskOutput { task_handle: Some(handle) })
    }

    pub(super) fn list_moves(&self, input: &ListMessageMoveTasksInput) -> ListMessageMoveTasksOutput {
        // The defaults and limits of the API reference.
        let most = usize::try_from(input.max_results.unwrap_or(1).clamp(1, 10)).unwrap_or(1);
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = moves.iter().rev().filter(|entry| entry.source_arn.as_ref() == Some(&input.source_arn));
        ListMessageMoveTasksOutput { results: of_source.take(most).cloned().collect() }
    }
}
