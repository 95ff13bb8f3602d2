//! How AWS is called, the same in a Lambda, in the local stack and in tests.
//!
//! A configuration is built by hand rather than by the SDK's loader: a Lambda has its region and credentials in the environment,
//! and looking for profiles, containers and instance metadata would only cost a cold start.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use crate::Config;

/// The certificates that AWS's own endpoints chain to: Amazon Root CA 1 to 4 and Starfield Services Root CA G2.
/// Source: <https://www.amazontrust.com/repository/>. The first of them to expire does so in 2037.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// Regions whose endpoints do not chain to Amazon's own roots, by the beginning of their names.
const OTHER_ROOTS: [&str; 4] = ["cn-", "eu-isoe-", "us-iso-", "us-isob-"];

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roots {
    /// Amazon's. Reading five certificates instead of the system's 146 saves a cold start 4 ms.
    Amazon,
    /// The system's, for any other server and behind a proxy.
    System,
}

/// The SDK's defaults as they were on that date: an update of the SDK changes none of them unseen.
#[must_use]
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Connections for any number of clients.
///
/// # Panics
/// Never: the certificates are part of the program, and a test reads them.
#[must_use]
pub fn https_client(roots: Roots) -> SharedHttpClient {
    let trust = match roots {
        Roots::Amazon => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
        Roots::System => TrustStore::default(),
    };
    let context = TlsContext::builder().with_trust_store(trust).build().expect("a trust store is all it needs");
    // ring instead of aws-lc: the zip is 0.7 MB smaller, and it builds without a C toolchain's help.
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
}

/// For a server on this machine: credentials and region that it does not look at, and nothing read from the environment.
#[must_use]
pub fn local(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "local");
    let credentials = SharedCredentialsProvider::new(credentials);
    sdk_config("us-east-1", credentials, https_client(roots("us-east-1", Some(endpoint))), Some(endpoint))
}

/// For a function.
pub(crate) fn of_function(config: &Config, endpoint: Option<&str>) -> SdkConfig {
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    sdk_config(&config.region, credentials, https_client(roots(&config.region, endpoint)), endpoint)
}

fn roots(region: &str, endpoint: Option<&str>) -> Roots {
    let foreign = endpoint.is_some_and(|endpoint| endpoint.starts_with("https:"));
    if foreign || OTHER_ROOTS.iter().any(|prefix| region.starts_with(prefix)) { Roots::System } else { Roots::Amazon }
}

/// The settings that every client has.
///
/// A shopper waits: a call is given up after three seconds, and an attempt after one, for DynamoDB answers in milliseconds or not
/// at all. Three attempts begin 25 ms apart, DynamoDB's own base, not the second that other services start from.
#[must_use]
pub fn sdk_config(
    region: &str,
    credentials: SharedCredentialsProvider,
    http_client: SharedHttpClient,
    endpoint: Option<&str>,
) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(25));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build();
    let mut builder = SdkConfig::builder()
        .behavior_version(behavior_version())
        .region(Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .http_client(http_client)
        .retry_config(retries)
        .timeout_config(timeouts);
    builder.set_endpoint_url(endpoint.map(str::to_owned));
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_servers_and_partitions_are_checked_against_the_systems_roots() {
        for (region, endpoint, expected) in [
            ("eu-central-1", None, Roots::Amazon),
            ("us-gov-west-1", None, Roots::Amazon),
            ("cn-north-1", None, Roots::System),
            ("us-iso-east-1", None, Roots::System),
            ("us-east-1", Some("http://127.0.0.1:8000"), Roots::Amazon),
            ("us-east-1", Some("https://dynamodb.example"), Roots::System),
        ] {
            assert_eq!(roots(region, endpoint), expected, "{region} {endpoint:?}");
        }
    }

    #[test]
    fn the_five_certificates_are_read() {
        let count = AMAZON_ROOTS.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"-----BEGIN")).count();
        assert_eq!(count, 5);
        // Panics when one cannot be read.
        let client = https_client(Roots::Amazon);
        drop(aws_sdk_dynamodb::Client::new(&sdk_config(
            "us-east-1",
            SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")),
            client,
            None,
        )));
    }
}
