//! The rules that keep the protocol safe, each of which can be switched off.

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`RULES` says what each of them is")]
pub enum Rule {
    HoldOnce,
    ReleaseExact,
    SettleExact,
    Watermark,
    StatusInConfirm,
    RecordBeforeAbort,
    RecordBeforeRelease,
    ConfirmKeeps,
    PutOnce,
    Deadline,
    EvidenceOutlives,
    CloseFirst,
    RecordRefusal,
    NumberOnce,
    MoveSold,
    ExactSum,
    EnoughUnits,
    AdoptWhatIsThere,
    CloseKeeps,
    RefusalKept,
    CloseSeen,
    KeepSeen,
    Grace,
    CloseUnrecorded,
}

/// A rule with its name on the command line and what it says.
pub struct Described {
    /// The rule.
    pub rule: Rule,
    /// On the command line.
    pub name: &'static str,
    /// In words.
    pub says: &'static str,
}

const fn rule(rule: Rule, name: &'static str, says: &'static str) -> Described {
    Described { rule, name, says }
}

/// All of them, in the order of the protocol's page; the last six are not on its list.
pub const RULES: [Described; 24] = [
    rule(Rule::HoldOnce, "hold-once", "a hold: attribute_not_exists(h.#rid)"),
    rule(Rule::ReleaseExact, "release-exact", "a release: the exact value of the hold"),
    rule(Rule::SettleExact, "settle-exact", "settling: the exact value of the hold"),
    rule(Rule::Watermark, "watermark", "a hold ends later than the watermark"),
    rule(Rule::StatusInConfirm, "status-in-confirm", "confirm: status = active"),
    rule(
        Rule::RecordBeforeAbort,
        "record-before-abort",
        "short after a hold was made: record the refusal, then release",
    ),
    rule(
        Rule::RecordBeforeRelease,
        "record-before-release",
        "a hold without a record: record that it expired, then release",
    ),
    rule(Rule::ConfirmKeeps, "confirm-keeps", "confirm: REMOVE ttl"),
    rule(Rule::PutOnce, "put-once", "a record is put once: attribute_not_exists(pk)"),
    rule(Rule::Deadline, "deadline", "a record is not signed at or after the end of its first hold"),
    rule(Rule::EvidenceOutlives, "evidence-outlives", "before a release the record must outlive the hold"),
    rule(Rule::CloseFirst, "close-first", "a late payment closes the old record before it takes the units again"),
    rule(Rule::RecordRefusal, "record-refusal", "a refusal that costs a refund is recorded before it is answered"),
    rule(Rule::NumberOnce, "number-once", "a child's number is never used twice"),
    rule(Rule::MoveSold, "move-sold", "sold moves home when a child is deleted"),
    rule(Rule::ExactSum, "exact-sum", "the holds of a record sum exactly to its line"),
    rule(Rule::EnoughUnits, "enough-units", "a hold: a >= :q"),
    rule(
        Rule::AdoptWhatIsThere,
        "adopt-what-is-there",
        "an adopted hold is recorded as it is, not as it was asked for",
    ),
    rule(Rule::CloseKeeps, "close-keeps", "closing for a successor: REMOVE ttl"),
    rule(Rule::RefusalKept, "refusal-kept", "the record of a refusal that costs a refund has no ttl"),
    rule(Rule::CloseSeen, "close-seen", "a sale goes on to its successor only if the close was applied"),
    rule(Rule::KeepSeen, "keep-seen", "a refund is answered only if the record of it was there to be kept"),
    rule(Rule::Grace, "grace", "a record outlives its holds by as long as a signature lives"),
    rule(Rule::CloseUnrecorded, "close-unrecorded", "a hold that nobody recorded is closed once it is over"),
];

/// The rules that apply: all, or all but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// The one that does not.
    pub without: Option<Rule>,
}

impl Rules {
    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
