//! Starts the function; see the library of the same name.

/// Handles batches and ticks one after the other, as Lambda sends them: one thread is all it needs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::serve_events(runtime::App::from_env_for_replenishment, replenish::handle).await
}
