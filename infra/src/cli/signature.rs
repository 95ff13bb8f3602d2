//! Signs requests with AWS credentials (Signature Version 4), for a service that authorizes by IAM.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign},
    sign::v4,
};
use domain::time::Clock;
use reqwest::{
    Request,
    header::{HeaderName, HeaderValue},
};
use runtime::SystemClock;
use tokio::sync::Mutex;

use super::{Failure, aws_config, client::chain};

/// Credentials are asked for anew when they have less than this left.
const RENEW_BEFORE: Duration = Duration::from_mins(1);

/// Whoever the machine's AWS configuration says we are.
pub struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    /// A provider may be a network call away, and a replay signs thousands of requests.
    known: Mutex<Option<Credentials>>,
}

impl Signer {
    /// From the environment, the shared profile or the role of the machine, in the order of every AWS tool.
    pub async fn new() -> Result<Self, Failure> {
        Self::from_config(&aws_config().await)
    }

    fn from_config(config: &SdkConfig) -> Result<Self, Failure> {
        let missing = |what: &str| Failure(format!("Requests cannot be signed: {what}"));
        let region = config.region().ok_or_else(|| missing("no AWS region is set; set AWS_REGION."))?;
        let provider = config.credentials_provider().ok_or_else(|| missing("there are no AWS credentials."))?;
        Ok(Self { provider, region: region.to_string(), known: Mutex::default() })
    }

    /// Adds the signature to `request`, whose body is `body`.
    pub async fn sign(&self, request: &mut Request, body: &[u8]) -> Result<(), Failure> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(SystemClock.now().epoch_seconds());
        self.sign_at(request, body, now).await
    }

    async fn sign_at(&self, request: &mut Request, body: &[u8], now: SystemTime) -> Result<(), Failure> {
        let failed =
            |error: &dyn std::error::Error| Failure(format!("The request cannot be signed: {}.", chain(error)));
        let identity = self.credentials(now).await?.into();
        let params: SigningParams = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("execute-api")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let instructions = {
            let headers =
                request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
            let (method, url) = (request.method().as_str(), request.url().as_str());
            let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))
                .map_err(|error| failed(&error))?;
            sign(signable, &params).map_err(|error| failed(&error))?.into_parts().0
        };
        for header in instructions.into_parts().0 {
            let name: HeaderName = header.name().parse().map_err(|error| failed(&error))?;
            let value: HeaderValue = header.value().parse().map_err(|error| failed(&error))?;
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, Failure> {
        let mut known = self.known.lock().await;
        let fresh = known.as_ref().filter(|found| found.expiry().is_none_or(|expiry| now + RENEW_BEFORE < expiry));
        if let Some(credentials) = fresh {
            return Ok(credentials.clone());
        }
        let found = self.provider.provide_credentials().await.map_err(|error| {
            let why = chain(&error);
            Failure(format!("There are no AWS credentials to sign with: {why}."))
        })?;
        Ok(known.insert(found).clone())
    }
}

#[cfg(test)]
mod tests {
    use aws_config::Region;

    use super::*;

    #[tokio::test]
    async fn a_signature_covers_the_request_and_names_the_service() {
        let keys = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("session".into()),
            None,
            "test",
        );
        let config = SdkConfig::builder()
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .build();
        let signer = Signer::from_config(&config).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_890_000);
        let signature = async |body: &str| {
            let url = "https://x.execute-api.eu-west-1.amazonaws.com/v1/stock/milk?channel=own";
            let request = reqwest::Client::new().post(url).header("idempotency-key", "k").body(body.to_owned());
            let mut request = request.build().unwrap();
            signer.sign_at(&mut request, body.as_bytes(), now).await.unwrap();
            assert_eq!(request.headers()["x-amz-date"], "20251123T092640Z");
            assert_eq!(request.headers()["x-amz-security-token"], "session");
            request.headers()["authorization"].to_str().unwrap().to_owned()
        };
        let one = signature("{}").await;
        assert!(one.contains("AKIDEXAMPLE/20251123/eu-west-1/execute-api/aws4_request"), "{one}");
        assert!(one.contains("SignedHeaders=host;idempotency-key;x-amz-date;x-amz-security-token"), "{one}");
        // Worked out from AWS's description of Signature Version 4, without the crate.
        let expected = "2ffc4daa8233a85c52e962125ddb20bb93e1901b5107c3a93586a9c4f08fee81";
        assert!(one.ends_with(&format!("Signature={expected}")), "{one}");
        assert_ne!(one, signature("{ }").await);
    }

    #[test]
    fn without_a_region_it_says_what_to_set() {
        let refused = Signer::from_config(&SdkConfig::builder().build()).err().unwrap();
        assert_eq!(refused.to_string(), "Requests cannot be signed: no AWS region is set; set AWS_REGION.");
    }
}
