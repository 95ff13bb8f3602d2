//! FIFO queues, over [`rusqlite`]. What they promise is in the Amazon SQS Developer Guide, "FIFO queue delivery logic",
//! "Exactly-once processing" and "Dead-letter queues"; here it is done as follows.
//!
//! - **Order.** A message has the next number of the whole file, its `SequenceNumber`. A group is received in that
//!   order and in no other: a message that comes back is still older than those behind it.
//! - **Receiving.** A group is free when none of its messages is in flight. Free groups are taken in the order of their
//!   oldest messages, each as far as there is room. `message_group` has one row per group, kept by triggers, so a long
//!   backlog of a group that is not free costs one step and not one per message.
//! - **Deduplication.** `accepted` remembers for five minutes what was accepted, also when it was deleted meanwhile.
//! - **Receipt handles** name a message and how often it had been received. So an older one is known as such, and one
//!   whose time is over has expired, which on a FIFO queue is an error.
//! - **Redrive.** What has been received as often as it may is moved when it would be received next, before anything is
//!   answered, and what is behind it is received instead. It gets a new number, a new time and its message id as its
//!   deduplication id, and nobody asks whether that is a duplicate.
//!
//! **What survives.** With a file, each answer is given after its commit in the write-ahead log, which survives the
//! death of the process, if not of the machine. Opening makes every message visible: whoever had received it died with
//! the process. How often it was received stays. Without a file, nothing survives.
//!
//! Time is a parameter, in milliseconds, and so are the queue's settings: the server that has them is
//! [`super::handler`].

#[cfg(test)]
mod tests;
mod values;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, Transaction, params};

pub use self::values::{Accepted, Batch, Counts, Message, NewMessage, Receipt, Redrive, Wanted, hex};
use self::values::{message_id, parse_receipt};

/// Milliseconds since 1970.
pub type Millis = i64;

/// The deduplication interval, from the Developer Guide.
const DEDUPLICATION: Millis = 5 * 60 * 1000;

/// More than there are different statements here: each is compiled once.
const STATEMENTS: usize = 64;

const SCHEMA: &str = include_str!("fifo/schema.sql");

/// All FIFO queues of a server, by name.
#[derive(Debug)]
pub struct Fifo(Connection);

impl Fifo {
    /// From a file, or in memory.
    pub fn open(file: Option<&Path>) -> Result<Self> {
        let connection = file.map_or_else(Connection::open_in_memory, Connection::open)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    /// Adds the message, unless it is a duplicate.
    pub fn send(&mut self, queue: &str, message: &NewMessage, now: Millis) -> Result<Accepted> {
        let NewMessage { group_id, deduplication_id, deduplicated_by_group, body, attributes, trace_header } = message;
        // No group has this name.
        let scope = if *deduplicated_by_group { group_id } else { "" };
        let transaction = self.0.transaction()?;
        run(&transaction, "DELETE FROM accepted WHERE sent_ms <= ?1", [now - DEDUPLICATION])?;
        let known = transaction
            .prepare_cached(
                "SELECT message_id, sequence FROM accepted WHERE queue = ?1 AND scope = ?2 AND deduplication_id = ?3",
            )?
            .query_row([queue, scope, deduplication_id], |row| {
                Ok(Accepted { message_id: row.get(0)?, sequence: row.get(1)? })
            })
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        let message_id = message_id(&[queue, group_id, deduplication_id, &now.to_string()]);
        run(
            &transaction,
            "INSERT INTO message
                 (queue, group_id, message_id, deduplication_id, sent_ms, trace_header, attributes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![queue, group_id, message_id, deduplication_id, now, trace_header, attributes, body],
        )?;
        let sequence = transaction.last_insert_rowid();
        run(
            &transaction,
            "INSERT INTO accepted VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![queue, scope, deduplication_id, message_id, sequence, now],
        )?;
        transaction.commit()?;
        Ok(Accepted { message_id, sequence })
    }

    /// Receives what is free.
    pub fn receive(&mut self, queue: &str, wanted: &Wanted, now: Millis) -> Result<Batch> {
        let transaction = self.0.transaction()?;
        expire(&transaction, queue, wanted.retention, now)?;
        let mut batch = Batch::default();
        loop {
            let mut redriven = false;
            for group_id in free_groups(&transaction, queue, wanted.messages, now)? {
                redriven |= take(&transaction, queue, &group_id, wanted, now, &mut batch.messages)?;
                if batch.messages.len() == wanted.messages {
                    break;
                }
            }
            batch.redriven |= redriven;
            // Where everything found was moved, there may be more to find.
            if !batch.messages.is_empty() || !redriven {
                break;
            }
        }
        transaction.commit()?;
        Ok(batch)
    }

    /// Deletes what is in flight under this receipt.
    pub fn delete(&mut self, queue: &str, receipt: &str, now: Millis) -> Result<Receipt> {
        let (found, sequence) = self.find(queue, receipt, now)?;
        if found == Receipt::InFlight {
            run(&self.0, "DELETE FROM message WHERE sequence = ?1", [sequence])?;
        }
        Ok(found)
    }

    /// Hides what is in flight under this receipt for so long from now; shows it, if that is 0.
    pub fn change_visibility(&mut self, queue: &str, receipt: &str, timeout: Millis, now: Millis) -> Result<Receipt> {
        let (found, sequence) = self.find(queue, receipt, now)?;
        if found == Receipt::InFlight {
            run(&self.0, "UPDATE message SET visible_ms = ?2 WHERE sequence = ?1", [sequence, now + timeout])?;
        }
        Ok(found)
    }

    fn find(&self, queue: &str, receipt: &str, now: Millis) -> Result<(Receipt, i64)> {
        let parsed = parse_receipt(receipt);
        let Some((sequence, received, message_id)) = parsed else { return Ok((Receipt::Invalid, 0)) };
        let found = self
            .0
            .prepare_cached("SELECT received, message_id, visible_ms FROM message WHERE sequence = ?1 AND queue = ?2")?
            .query_row(params![sequence, queue], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Millis>(2)?))
            })
            .optional()?;
        let receipt = match found {
            None => Receipt::Gone,
            Some((_, id, _)) if id != message_id => Receipt::Invalid,
            Some((last, _, visible)) if last == received && visible > now => Receipt::InFlight,
            Some(_) => Receipt::Expired,
        };
        Ok((receipt, sequence))
    }

    /// When the next message in flight comes back by itself.
    pub fn next_visible(&self, queue: &str, now: Millis) -> Result<Option<Millis>> {
        one(
            &self.0,
            "SELECT MIN(visible_ms) FROM message INDEXED BY in_flight
             WHERE queue = ?1 AND visible_ms > 0 AND visible_ms > ?2",
            params![queue, now],
        )
    }

    /// Counts what a queue holds.
    pub fn counts(&mut self, queue: &str, retention: Millis, now: Millis) -> Result<Counts> {
        expire(&self.0, queue, retention, now)?;
        let all: i64 = one(&self.0, "SELECT COUNT(*) FROM message WHERE queue = ?1", [queue])?;
        let in_flight = one(
            &self.0,
            "SELECT COUNT(*) FROM message INDEXED BY in_flight
             WHERE queue = ?1 AND visible_ms > 0 AND visible_ms > ?2",
            params![queue, now],
        )?;
        Ok(Counts { visible: all - in_flight, in_flight })
    }

    /// Deletes all messages of a queue. What was accepted is still known.
    pub fn purge(&mut self, queue: &str) -> Result<()> {
        run(&self.0, "DELETE FROM message WHERE queue = ?1", [queue])
    }

    /// Deletes all that is known of a queue.
    pub fn forget(&mut self, queue: &str) -> Result<()> {
        self.purge(queue)?;
        run(&self.0, "DELETE FROM accepted WHERE queue = ?1", [queue])
    }

    /// Where the messages of a dead-letter queue came from, as ARNs.
    pub fn sources(&self, queue: &str) -> Result<Vec<Option<String>>> {
        let mut statement = self.0.prepare_cached("SELECT DISTINCT source_arn FROM message WHERE queue = ?1")?;
        statement.query_map([queue], |row| row.get(0))?.collect()
    }

    /// Moves what is not in flight to another queue, in order: all, or what came from this source. Answers how many.
    pub fn redrive(&mut self, queue: &str, source_arn: Option<&str>, to: &str, now: Millis) -> Result<usize> {
        let transaction = self.0.transaction()?;
        let found = transaction
            .prepare_cached(
                "SELECT sequence FROM message
                 WHERE queue = ?1 AND (?2 IS NULL OR source_arn = ?2) AND visible_ms <= ?3 ORDER BY sequence",
            )?
            .query_map(params![queue, source_arn, now], |row| row.get(0))?
            .collect::<Result<Vec<_>>>()?;
        for sequence in &found {
            relocate(&transaction, *sequence, to, None, now)?;
        }
        transaction.commit()?;
        Ok(found.len())
    }
}

/// In the order of `group_order`. Without the hint, what is in flight would be looked for among all
/// messages of a group.
const FREE_GROUPS: &str = "
    SELECT group_id FROM message_group AS candidate WHERE queue = ?1 AND NOT EXISTS (
        SELECT 1 FROM message INDEXED BY in_flight
        WHERE queue = ?1 AND group_id = candidate.group_id AND visible_ms > 0 AND visible_ms > ?2
    ) ORDER BY oldest LIMIT ?3
";

fn free_groups(transaction: &Transaction, queue: &str, most: usize, now: Millis) -> Result<Vec<String>> {
    let mut statement = transaction.prepare_cached(FREE_GROUPS)?;
    statement.query_map(params![queue, now, most], |row| row.get(0))?.collect()
}

/// Receives messages of a free group until `received` is full. Answers whether some were moved to the dead-letter
/// queue.
fn take(
    transaction: &Transaction,
    queue: &str,
    group_id: &str,
    wanted: &Wanted,
    now: Millis,
    received: &mut Vec<Message>,
) -> Result<bool> {
    let mut redriven = false;
    loop {
        let mut found = oldest(transaction, queue, group_id, wanted.messages - received.len(), now)?;
        let mut room_was_made = false;
        if let Some(redrive) = wanted.redrive {
            // Each counts this time as well.
            for spent in found.iter().filter(|message| message.received > redrive.max_receive_count) {
                relocate(transaction, spent.sequence, &redrive.queue, Some(&redrive.source_arn), now)?;
                room_was_made = true;
            }
        }
        if room_was_made {
            redriven = true;
            continue;
        }
        for message in &found {
            run(
                transaction,
                "UPDATE message SET received = ?2, first_received_ms = ?3, visible_ms = ?4 WHERE sequence = ?1",
                [message.sequence, message.received, message.first_received, now + wanted.visibility_timeout],
            )?;
        }
        received.append(&mut found);
        return Ok(redriven);
    }
}

/// The oldest messages of a group, as they are once they have been received.
fn oldest(transaction: &Transaction, queue: &str, group_id: &str, most: usize, now: Millis) -> Result<Vec<Message>> {
    let mut statement = transaction.prepare_cached(
        "SELECT sequence, group_id, message_id, deduplication_id, sent_ms, received + 1 AS received,
                COALESCE(first_received_ms, ?4) AS first_received_ms, source_arn, trace_header, attributes, body
         FROM message WHERE queue = ?1 AND group_id = ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let read = |row: &Row| {
        Ok(Message {
            sequence: row.get("sequence")?,
            group_id: row.get("group_id")?,
            id: row.get("message_id")?,
            deduplication_id: row.get("deduplication_id")?,
            sent: row.get("sent_ms")?,
            received: row.get("received")?,
            first_received: row.get("first_received_ms")?,
            source_arn: row.get("source_arn")?,
            trace_header: row.get("trace_header")?,
            attributes: row.get("attributes")?,
            body: row.get("body")?,
        })
    };
    statement.query_map(params![queue, group_id, most, now], read)?.collect()
}

/// Moves a message to the end of another queue, as one that nobody has received.
fn relocate(transaction: &Transaction, sequence: i64, to: &str, source_arn: Option<&str>, now: Millis) -> Result<()> {
    run(
        transaction,
        "INSERT INTO message
             (queue, group_id, message_id, deduplication_id, sent_ms, source_arn, trace_header, attributes, body)
         SELECT ?2, group_id, message_id, message_id, ?3, ?4, trace_header, attributes, body
         FROM message WHERE sequence = ?1",
        params![sequence, to, now, source_arn],
    )?;
    run(transaction, "DELETE FROM message WHERE sequence = ?1", [sequence])
}

/// Deletes what has been in the queue for too long.
fn expire(connection: &Connection, queue: &str, retention: Millis, now: Millis) -> Result<()> {
    run(connection, "DELETE FROM message WHERE queue = ?1 AND sent_ms <= ?2", params![queue, now - retention])
}

fn run(connection: &Connection, sql: &str, parameters: impl Params) -> Result<()> {
    connection.prepare_cached(sql)?.execute(parameters).map(drop)
}

fn one<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str, parameters: impl Params) -> Result<T> {
    connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))
}
