//! Starts the function; see the library of the same name.
// What the handler awaits is nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

/// Handles batches one after the other, as Lambda sends them: one thread is all it needs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::serve_events(runtime::App::from_env_for_channels, channel_intake::handle).await
}
