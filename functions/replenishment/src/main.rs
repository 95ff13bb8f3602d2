//! Starts the function; see the library of the same name.

/// Handles one request after the other, as Lambda sends them: one thread is all it needs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::serve(runtime::App::from_env, replenishment::handle).await
}
