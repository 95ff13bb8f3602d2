//! `GET /v1/orders/{id}`: an order, or a reservation that was paid.

use http::{Problem, Request, Response, view::OrderView};
use runtime::{App, problem};

pub(crate) async fn read(app: &App, request: &Request) -> Result<Response, Problem> {
    let id = http::parse(request, |input| input.path("id"))?;
    let order = app.store.order(&id).await.map_err(problem)?;
    Ok(Response::ok(&OrderView::new(&order)))
}

#[cfg(test)]
mod tests {
    use http::testing::Sample;

    use super::*;

    #[tokio::test]
    async fn an_id_that_cannot_be_is_refused() {
        let request = Sample::new("GET /v1/orders/{id}").path("id", "../secrets").request();
        let problem = read(&App::unreachable(), &request).await.unwrap_err();
        assert_eq!(problem.errors()[0].field, "id");
    }
}
