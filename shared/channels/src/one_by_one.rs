//! For vendors who take one listing a call.

use crate::CallError;

/// Asks for each, one after the other. Once the vendor has said "not now", asking for the rest would only prolong it.
pub(crate) async fn one_by_one<'a, T, R, F>(items: &'a [T], ask: impl Fn(&'a T) -> F) -> Vec<Result<R, CallError>>
where
    F: Future<Output = Result<R, CallError>>,
{
    let mut outcomes: Vec<Result<R, CallError>> = Vec::with_capacity(items.len());
    for item in items {
        let outcome = match outcomes.last() {
            Some(Err(throttled @ CallError::Throttled { .. })) => Err(throttled.clone()),
            _ => ask(item).await,
        };
        outcomes.push(outcome);
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_asked_again_who_has_said_not_now() {
        let throttled = || CallError::Throttled { retry_after_seconds: 7 };
        let ask = |number: &u32| {
            let answer = match number {
                1 => Err(CallError::Unavailable { reason: "down".to_owned() }),
                3 => Err(throttled()),
                number => Ok(*number),
            };
            async move { answer }
        };
        let outcomes = one_by_one(&[0, 1, 2, 3, 4, 5], ask).await;
        assert!(matches!(outcomes[..3], [Ok(0), Err(CallError::Unavailable { .. }), Ok(2)]));
        assert!(outcomes[3..].iter().all(|outcome| *outcome == Err(throttled())));
    }
}
