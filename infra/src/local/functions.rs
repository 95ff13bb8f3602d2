//! The functions that this binary carries, each under the name of the cargo binary that `template.yaml` deploys for it.
//! The handlers are the ones that Lambda calls; only the way in differs. As on Lambda, a call stays on one thread.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use futures::{FutureExt, future::LocalBoxFuture};
use runtime::App;
use serde_json::Value;
use tokio_util::task::LocalPoolHandle;
use tracing::Instrument;

use super::template::Template;

type HttpHandler = fn(App, http::Request) -> LocalBoxFuture<'static, http::Response>;
type EventHandler = fn(App, Value) -> LocalBoxFuture<'static, Result<Value>>;

/// Where functions run, and what they work with. Clones share the threads.
#[derive(Clone)]
pub struct Lambda {
    app: App,
    threads: LocalPoolHandle,
}

/// A function behind routes.
#[derive(Clone)]
pub struct HttpFunction {
    pub name: &'static str,
    handler: HttpHandler,
    lambda: Lambda,
}

/// A function behind event sources.
#[derive(Clone)]
pub struct EventFunction {
    pub name: &'static str,
    handler: EventHandler,
    lambda: Lambda,
}

/// All functions behind routes.
fn http_handlers() -> [(&'static str, HttpHandler); 10] {
    macro_rules! handler {
        ($name:literal, $function:ident) => {
            ($name, |app, request| async move { $function::handle(&app, &request).await }.boxed_local())
        };
    }
    [
        handler!("reserve", reserve),
        handler!("confirm", confirm),
        handler!("cancel", cancel),
        handler!("availability", availability),
        handler!("stock", stock),
        handler!("order-intake", order_intake),
        handler!("channel-settings", channel_settings),
        handler!("webhook", webhook),
        handler!("replenishment", replenishment),
        handler!("purchase-orders", purchase_orders),
    ]
}

/// All functions behind event sources.
fn event_handlers() -> [(&'static str, EventHandler); 9] {
    macro_rules! handler {
        ($name:literal, $function:ident) => {
            ($name, |app, event| async move { Ok($function::handle(&app, event).await?) }.boxed_local())
        };
    }
    [
        handler!("expire", expire),
        handler!("order-consumer", order_consumer),
        handler!("redistribute", redistribute),
        handler!("channel-mark", channel_mark),
        handler!("channel-sync", channel_sync),
        handler!("channel-intake", channel_intake),
        handler!("channel-poll", channel_poll),
        handler!("purchasing", purchasing),
        handler!("replenish", replenish),
    ]
}

impl Lambda {
    /// As many threads as there are processors.
    pub fn new(app: App) -> Self {
        let threads = thread::available_parallelism().map_or(2, Into::into);
        Self { app, threads: LocalPoolHandle::new(threads) }
    }

    /// The function of this name behind a route.
    pub fn http_function(&self, name: &str) -> Result<HttpFunction> {
        let found = http_handlers().into_iter().find(|(known, _)| *known == name);
        let (name, handler) = found.ok_or_else(|| {
            anyhow!("template.yaml routes to the function {name:?}, which this binary does not carry")
        })?;
        Ok(HttpFunction { name, handler, lambda: self.clone() })
    }

    /// The function of this name behind an event source.
    pub fn event_function(&self, name: &str) -> Result<EventFunction> {
        let found = event_handlers().into_iter().find(|(known, _)| *known == name);
        let (name, handler) = found
            .ok_or_else(|| anyhow!("template.yaml feeds the function {name:?}, which this binary does not carry"))?;
        Ok(EventFunction { name, handler, lambda: self.clone() })
    }

    /// Calls a function. One that panics is an error here, as one that crashes is on Lambda.
    async fn run<T: Send + 'static>(
        &self,
        name: &str,
        call: impl FnOnce(App) -> LocalBoxFuture<'static, T> + Send + 'static,
    ) -> Result<T> {
        let (app, span) = (self.app.clone(), tracing::Span::current());
        let answer = self.threads.spawn_pinned(move || call(app).instrument(span)).await;
        answer.with_context(|| format!("the function {name} crashed"))
    }
}

impl HttpFunction {
    /// Answers one request.
    pub async fn call(&self, request: http::Request) -> Result<http::Response> {
        let handler = self.handler;
        self.lambda.run(self.name, move |app| handler(app, request)).await
    }
}

impl EventFunction {
    /// Handles one batch, and answers which items of it failed.
    pub async fn call(&self, event: Value) -> Result<Value> {
        let handler = self.handler;
        self.lambda.run(self.name, move |app| handler(app, event)).await?
    }
}

/// Refuses a template and a binary that do not carry the same functions: what is missing there would be dead code on
/// AWS.
pub fn check_all_deployed(template: &Template) -> Result<()> {
    let routes: Vec<&str> = template.routes.iter().map(|route| route.function.as_str()).collect();
    for (name, _) in http_handlers() {
        ensure!(routes.contains(&name), "template.yaml has no route to the function {name:?}");
    }
    let streams = template.streams.iter().map(|mapping| mapping.function.as_str());
    let consumers = template.consumers.iter().map(|mapping| mapping.function.as_str());
    let scheduled = template.schedules.iter().map(|schedule| schedule.function.as_str());
    let fed: Vec<&str> = streams.chain(consumers).chain(scheduled).collect();
    for (name, _) in event_handlers() {
        ensure!(fed.contains(&name), "template.yaml has no event source for the function {name:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::TEMPLATE, *};

    #[test]
    fn the_template_and_this_binary_name_the_same_functions() {
        let template = Template::parse(TEMPLATE).unwrap();
        check_all_deployed(&template).unwrap();
        let known = http_handlers().map(|(name, _)| name);
        assert!(template.routes.iter().all(|route| known.contains(&route.function.as_str())));
    }

    #[test]
    fn a_function_left_out_of_the_template_is_a_fault() {
        let mut template = Template::parse(TEMPLATE).unwrap();
        template.routes.retain(|route| route.function != "cancel");
        assert!(check_all_deployed(&template).unwrap_err().to_string().contains("cancel"));
    }
}
