//! The rule by which the units of a SKU are divided anew, and what it remembers.
//!
//! - **Create** `attribute_not_exists(pk)`, **change** `v`: with `If-Match`, only the version that the merchant saw is replaced. What is
//!   remembered stays.
//! - **Look** `looks` and `v` as seen: of two who looked at the same time one is refused, and no moves are made by a rule that is not
//!   the rule any more. It is a part of the transaction that moves units, if any are moved.

use domain::{
    ids::Sku,
    redistribution::{Memory, Rule},
};

use crate::{
    flow::StoredRule,
    item::{encode_rule, instant, number, text, units, weights},
    keys,
    table::Write,
};

/// **Create** a rule that remembers nothing.
pub(crate) fn create(sku: &Sku, rule: &Rule) -> Write {
    let stored = StoredRule { rule: rule.clone(), memory: Memory::default(), version: 1 };
    Write::put(encode_rule(sku, &stored), "attribute_not_exists(pk)")
}

/// **Change** the rule.
pub(crate) fn change(sku: &Sku, rule: &Rule, if_match: Option<u64>) -> Write {
    let condition = if if_match.is_some() { "v = :seen" } else { "attribute_exists(pk)" };
    let set = "SET v = v + :one, weights = :weights, minimum = :minimum, below = :below";
    let expression = match &rule.reason {
        Some(_) => format!("{set}, reason = :reason"),
        None => format!("{set} REMOVE reason"),
    };
    let mut write = Write::update(keys::rule(sku), expression, condition)
        .value(":one", number(1))
        .value(":weights", weights(&rule.weights))
        .value(":minimum", units(&rule.minimum))
        .value(":below", number(rule.trigger_below));
    if let Some(reason) = &rule.reason {
        write = write.value(":reason", text(reason));
    }
    match if_match {
        Some(seen) => write.value(":seen", number(seen)),
        None => write,
    }
}

/// **Look**: what is remembered from now on, if the rule is as it was `seen`.
pub(crate) fn look(sku: &Sku, seen: &StoredRule, memory: &Memory) -> Write {
    let expression = "SET looks = :looks, seen_at = :now, sold = :sold, recent = :recent";
    Write::update(keys::rule(sku), expression, "looks = :seen AND v = :version")
        .value(":looks", number(memory.looks))
        .value(":now", instant(memory.seen_at.unwrap_or_default()))
        .value(":sold", units(&memory.sold))
        .value(":recent", units(&memory.recent))
        .value(":seen", number(seen.memory.looks))
        .value(":version", number(seen.version))
}

/// **Remove** the rule with all that it remembers.
pub(crate) fn remove(sku: &Sku) -> Write {
    Write::delete(keys::rule(sku), "attribute_exists(pk)")
}
