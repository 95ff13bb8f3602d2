//! The embedded server: what it does itself, and what it leaves to rustack.
//!
//! rustack keeps the queues, their attributes and their tags, and all of a standard queue. What happens to messages of
//! FIFO queues, those whose names end in `.fifo`, happens in [`fifo`](super::fifo): rustack answers at most one message
//! of a group at a time and forgets everything when the process dies. So:
//!
//! | operation on a FIFO queue | by |
//! |---|---|
//! | `SendMessage`, `ReceiveMessage`, `DeleteMessage`, `ChangeMessageVisibility`, and their batches | this server |
//! | `GetQueueAttributes` | rustack, with the numbers of messages from here |
//! | `PurgeQueue`, `DeleteQueue` | rustack, then the messages here |
//! | `StartMessageMoveTask`, `ListMessageMoveTasks` | this server: a task is over when it is answered |
//! | everything else | rustack |
//!
//! Not here: `ReceiveRequestAttemptId` is not looked at, and a queue with a delay refuses messages.
//!
//! **Time** is the machine's. The clock of the stack can be moved, but how long a receiver may take cannot.
//!
//! **Waiting.** Whoever waits for a message looks again when anything changes in the queue, and when the next message
//! in flight becomes visible. The file is behind a mutex that nobody holds across an `await`; a call takes it for much
//! less than a millisecond.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{body::Bytes, http::Response};
use futures::{FutureExt, future::BoxFuture};
use rustack_sqs_core::{handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::{body::SqsResponseBody, dispatch::SqsHandler};
use rustack_sqs_model::{
    error::{SqsError, SqsErrorCode},
    input::{
        ChangeMessageVisibilityBatchInput, ChangeMessageVisibilityInput, DeleteMessageBatchInput, DeleteMessageInput,
        DeleteQueueInput, GetQueueAttributesInput, PurgeQueueInput, ReceiveMessageInput, SendMessageBatchInput,
        SendMessageInput,
    },
    operations::SqsOperation,
    output::{
        ChangeMessageVisibilityBatchOutput, ChangeMessageVisibilityOutput, DeleteMessageBatchOutput,
        DeleteMessageOutput, DeleteQueueOutput, GetQueueAttributesOutput, PurgeQueueOutput, ReceiveMessageOutput,
        SendMessageBatchOutput, SendMessageOutput,
    },
    types::{
        ChangeMessageVisibilityBatchResultEntry, DeleteMessageBatchResultEntry, ListMessageMoveTasksResultEntry,
        SendMessageBatchResultEntry,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    fifo::{Fifo, Millis, Receipt, Wanted},
    queue::{self, Queue},
    wire,
};

/// What an operation comes to.
type Answer<T> = Result<T, SqsError>;

/// Serves all queues.
#[derive(Debug)]
pub struct Handler(Arc<Server>);

#[derive(Debug)]
pub(super) struct Server {
    pub(super) rustack: Arc<RustackSqs>,
    others: RustackSqsHandler,
    fifo: Mutex<Fifo>,
    /// By queue: told whenever a message may have become free.
    changes: Mutex<HashMap<String, Arc<Notify>>>,
    /// The latest last.
    pub(super) moves: Mutex<Vec<ListMessageMoveTasksResultEntry>>,
}

impl Handler {
    pub fn new(rustack: Arc<RustackSqs>, fifo: Fifo) -> Self {
        let others = RustackSqsHandler::new(Arc::clone(&rustack));
        let (changes, moves) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Server { rustack, others, fifo: Mutex::new(fifo), changes, moves }))
    }
}

impl SqsHandler for Handler {
    fn handle_operation(&self, operation: SqsOperation, body: Bytes) -> BoxFuture<'static, Answer<Reply>> {
        let server = Arc::clone(&self.0);
        async move { server.handle(operation, body).await }.boxed()
    }
}

type Reply = Response<SqsResponseBody>;

impl Server {
    async fn handle(&self, operation: SqsOperation, body: Bytes) -> Answer<Reply> {
        if !is_about_fifo(&body) {
            return self.others.handle_operation(operation, body).await;
        }
        match operation {
            SqsOperation::SendMessage => reply(&self.send(read(&body)?).await?),
            SqsOperation::SendMessageBatch => reply(&self.send_batch(read(&body)?).await?),
            SqsOperation::ReceiveMessage => reply(&self.receive(read(&body)?).await?),
            SqsOperation::DeleteMessage => reply(&self.delete(read(&body)?).await?),
            SqsOperation::DeleteMessageBatch => reply(&self.delete_batch(read(&body)?).await?),
            SqsOperation::ChangeMessageVisibility => reply(&self.change_visibility(read(&body)?).await?),
            SqsOperation::ChangeMessageVisibilityBatch => reply(&self.change_visibility_batch(read(&body)?).await?),
            SqsOperation::GetQueueAttributes => reply(&self.attributes(read(&body)?).await?),
            SqsOperation::PurgeQueue => reply(&self.purge(read(&body)?).await?),
            SqsOperation::DeleteQueue => reply(&self.delete_queue(read(&body)?).await?),
            SqsOperation::StartMessageMoveTask => reply(&self.start_move(read(&body)?).await?),
            SqsOperation::ListMessageMoveTasks => reply(&self.list_moves(&read(&body)?)),
            _ => self.others.handle_operation(operation, body).await,
        }
    }

    async fn send(&self, input: SendMessageInput) -> Answer<SendMessageOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        self.accept(&queue, &input)
    }

    async fn send_batch(&self, input: SendMessageBatchInput) -> Answer<SendMessageBatchOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        wire::check_batch_size(&input.entries)?;
        let (successful, failed) = wire::each(input.entries, |id, entry| {
            let sent = self.accept(&queue, &wire::as_message(entry))?;
            Ok(SendMessageBatchResultEntry {
                id,
                message_id: sent.message_id.unwrap_or_default(),
                md5_of_message_body: sent.md5_of_message_body.unwrap_or_default(),
                md5_of_message_attributes: sent.md5_of_message_attributes,
                sequence_number: sent.sequence_number,
            })
        })?;
        Ok(SendMessageBatchOutput { successful, failed })
    }

    fn accept(&self, queue: &Queue, input: &SendMessageInput) -> Answer<SendMessageOutput> {
        let draft = wire::Draft::check(queue, input)?;
        let accepted = self.fifo(|fifo| fifo.send(&queue.name, &draft.message(), now()))?;
        self.tell(&queue.name);
        Ok(draft.answer(accepted))
    }

    async fn receive(&self, input: ReceiveMessageInput) -> Answer<ReceiveMessageOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        let redrive = queue.redrive(&self.rustack).await;
        let limits = wire::Limits::check(&queue, &input)?;
        let wanted = Wanted {
            messages: limits.messages,
            visibility_timeout: limits.visibility_timeout,
            retention: queue.retention,
            redrive: redrive.as_ref(),
        };
        let changes = self.changes(&queue.name);
        let deadline = Instant::now() + limits.wait;
        loop {
            // From here on no change goes unheard.
            let mut change = pin!(changes.notified());
            change.as_mut().enable();
            let (batch, comes_back) = self.fifo(|fifo| {
                let now = now();
                let batch = fifo.receive(&queue.name, &wanted, now)?;
                let wait =
                    fifo.next_visible(&queue.name, now)?.map(|at| Duration::from_millis((at - now).unsigned_abs()));
                Ok((batch, wait.map(|wait| Instant::now() + wait)))
            })?;
            if let Some(redrive) = redrive.as_ref().filter(|_| batch.redriven) {
                self.tell(&redrive.queue);
            }
            if !batch.messages.is_empty() || Instant::now() >= deadline {
                let messages = batch.messages.into_iter().map(|message| wire::message(message, &input)).collect();
                return Ok(ReceiveMessageOutput { messages });
            }
            tokio::select! {
                () = change => {}
                () = sleep_until(comes_back.map_or(deadline, |at| at.min(deadline))) => {}
            }
        }
    }

    async fn delete(&self, input: DeleteMessageInput) -> Answer<DeleteMessageOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        self.remove(&queue, &input.receipt_handle)?;
        Ok(DeleteMessageOutput {})
    }

    async fn delete_batch(&self, input: DeleteMessageBatchInput) -> Answer<DeleteMessageBatchOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        let (successful, failed) = wire::each(input.entries, |id, entry| {
            self.remove(&queue, &entry.receipt_handle)?;
            Ok(DeleteMessageBatchResultEntry { id })
        })?;
        Ok(DeleteMessageBatchOutput { successful, failed })
    }

    fn remove(&self, queue: &Queue, receipt: &str) -> Answer<()> {
        let found = self.fifo(|fifo| fifo.delete(&queue.name, receipt, now()))?;
        // What was behind it in its group may be free now.
        self.tell(&queue.name);
        match found {
            Receipt::InFlight | Receipt::Gone => Ok(()),
            Receipt::Expired => Err(wire::expired(receipt)),
            Receipt::Invalid => Err(SqsError::receipt_handle_is_invalid()),
        }
    }

    async fn change_visibility(&self, input: ChangeMessageVisibilityInput) -> Answer<ChangeMessageVisibilityOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        self.hide(&queue, &input.receipt_handle, input.visibility_timeout)?;
        Ok(ChangeMessageVisibilityOutput {})
    }

    async fn change_visibility_batch(
        &self,
        input: ChangeMessageVisibilityBatchInput,
    ) -> Answer<ChangeMessageVisibilityBatchOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        let (successful, failed) = wire::each(input.entries, |id, entry| {
            self.hide(&queue, &entry.receipt_handle, entry.visibility_timeout)?;
            Ok(ChangeMessageVisibilityBatchResultEntry { id })
        })?;
        Ok(ChangeMessageVisibilityBatchOutput { successful, failed })
    }

    fn hide(&self, queue: &Queue, receipt: &str, timeout_seconds: i32) -> Answer<()> {
        let timeout = wire::visibility_timeout(timeout_seconds)?;
        let found = self.fifo(|fifo| fifo.change_visibility(&queue.name, receipt, timeout, now()))?;
        self.tell(&queue.name);
        match found {
            Receipt::InFlight => Ok(()),
            Receipt::Gone | Receipt::Expired => Err(wire::not_in_flight(receipt)),
            Receipt::Invalid => Err(SqsError::receipt_handle_is_invalid()),
        }
    }

    async fn attributes(&self, input: GetQueueAttributesInput) -> Answer<GetQueueAttributesOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        let mut output = self.rustack.get_queue_attributes(input).await?;
        let counts = self.fifo(|fifo| fifo.counts(&queue.name, queue.retention, now()))?;
        let numbers = [
            ("ApproximateNumberOfMessages", counts.visible),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight),
        ];
        for (name, number) in numbers {
            // Only what was asked for is there.
            output.attributes.entry(name.into()).and_modify(|value| *value = number.to_string());
        }
        Ok(output)
    }

    async fn purge(&self, input: PurgeQueueInput) -> Answer<PurgeQueueOutput> {
        let queue = Queue::find(&self.rustack, &input.queue_url).await?;
        let output = self.rustack.purge_queue(input).await?;
        self.fifo(|fifo| fifo.purge(&queue.name))?;
        Ok(output)
    }

    async fn delete_queue(&self, input: DeleteQueueInput) -> Answer<DeleteQueueOutput> {
        let name = queue::name(&input.queue_url)?;
        let output = self.rustack.delete_queue(input).await?;
        self.fifo(|fifo| fifo.forget(&name))?;
        Ok(output)
    }

    pub(super) fn fifo<T>(&self, act: impl FnOnce(&mut Fifo) -> rusqlite::Result<T>) -> Answer<T> {
        // Whoever panicked in a transaction has rolled it back.
        let mut fifo = self.fifo.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut fifo).map_err(|error| {
            tracing::error!("FIFO queues: {error}");
            SqsError::internal_error("The queues cannot be read or written.")
        })
    }

    fn changes(&self, queue: &str) -> Arc<Notify> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(changes.entry(queue.to_owned()).or_default())
    }

    /// Wakes whoever waits for messages of this queue.
    pub(super) fn tell(&self, queue: &str) {
        self.changes(queue).notify_waiters();
    }
}

/// Whether the queue of this request is a FIFO queue; a move task names it by its ARN.
fn is_about_fifo(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Request {
        #[serde(rename = "QueueUrl", alias = "SourceArn")]
        queue: String,
    }
    serde_json::from_slice(body).is_ok_and(|request: Request| queue::is_fifo(&request.queue))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| {
        let code = if error.to_string().starts_with("missing field") {
            SqsErrorCode::MissingParameter
        } else {
            SqsErrorCode::InvalidParameterValue
        };
        SqsError::new(code, error.to_string())
    })
}

fn reply(output: &impl Serialize) -> Answer<Reply> {
    let json = serde_json::to_vec(output).map_err(|error| SqsError::internal_error(error.to_string()))?;
    // The service around this adds the headers.
    Ok(Response::new(SqsResponseBody::from_json(json)))
}

#[expect(clippy::disallowed_methods, reason = "how long a receiver may take is real time; the stack's clock is moved")]
pub(super) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
