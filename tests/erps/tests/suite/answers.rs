//! Whatever an ERP answers: nothing panics, and nonsense is never taken for an order.

use erp::{CallError, ErpKind, Which};
use holdfast_erps::face::{empty, json};
use proptest::prelude::*;
use serde_json::{Value, json};
use vendor::transport::Response;

use crate::support::{Says, World, key, order};

/// What lets in, at all three.
fn token() -> Response {
    json(
        200,
        &json!({ "access_token": "t", "refresh_token": "r", "expires_in": 3600, "SessionId": "s", "SessionTimeout": 30 }),
    )
}

/// Words that connectors look for, so that random JSON comes near to what is real.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "PurchaseOrder",
        "QueryResponse",
        "Fault",
        "fault",
        "Error",
        "error",
        "type",
        "code",
        "Id",
        "id",
        "SyncToken",
        "DocNumber",
        "VendorRef",
        "value",
        "POStatus",
        "Line",
        "LinkedTxn",
        "TxnId",
        "TxnType",
        "Qty",
        "ItemRef",
        "tranId",
        "ItemBasedExpenseLineDetail",
        "DueDate",
        "orderStatus",
        "status",
        "item",
        "items",
        "quantity",
        "quantityReceived",
        "DocEntry",
        "DocNum",
        "CardCode",
        "NumAtCard",
        "DocumentLines",
        "Quantity",
        "RemainingOpenQuantity",
        "message",
        "o:errorDetails",
        "o:errorCode",
        "NONEXISTENT_ID",
        "-2028",
        "610",
        "HF-1",
        "98",
        "Bill",
        "Closed",
        "V-1",
    ];
    prop_oneof![9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word(), inner, 0..6).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

fn answer() -> impl Strategy<Value = Response> {
    let status = proptest::sample::select(vec![200_u16, 200, 200, 201, 204, 400, 404, 404, 409, 500]);
    let json = (status, value()).prop_map(|(status, body)| json(status, &body));
    let bytes = proptest::collection::vec(any::<u8>(), 0..200).prop_map(|body| {
        let mut response = empty(200);
        *response.body_mut() = body;
        response
    });
    prop_oneof![8 => json, 1 => bytes, 1 => "<.{0,20}Fault.{0,40}>".prop_map(|text| Response::new(text.into_bytes()))]
}

/// Whether it holds anything that could be an id.
fn has_a_digit(response: &Response) -> bool {
    response.body().iter().any(u8::is_ascii_digit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_answers_are_survived(kind in 0..3_usize, answers in proptest::collection::vec(answer(), 1..6)) {
        let world = World::new(ErpKind::ALL[kind]);
        let could_be = answers.iter().any(has_a_digit);
        let mut said = vec![token()];
        said.extend(answers);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let erp = world.another_over(Says::new(said));
            let id = "98".parse().unwrap();
            let created = erp.create(&order("HF-1")).await;
            prop_assert!(created.is_err() || could_be, "{created:?}");
            let _ = erp.read(Which::Id(&id, &key("HF-1"))).await;
            let _ = erp.read(Which::Key(&key("HF-1"))).await;
            let _ = erp.cancel(&id, &key("HF-1")).await;
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn an_answer_without_the_order_is_no_order() {
    for kind in ErpKind::ALL {
        for body in ["", "{}", "[]", "null", "<html>busy</html>", r#"{"PurchaseOrder":{"Id":"../1","SyncToken":"0"}}"#]
        {
            let says = Says::new(vec![token(), Response::new(body.as_bytes().to_vec())]);
            let outcome =
                World::new(kind).another_over(says).read(Which::Id(&"98".parse().unwrap(), &key("HF-1"))).await;
            assert!(matches!(outcome, Err(CallError::Unavailable { .. })), "{kind} {body}: {outcome:?}");
        }
    }
}
