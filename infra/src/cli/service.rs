//! Which service a command talks to, and as whom: arguments that several commands share.

use reqwest::Url;

/// Which service, and who calls.
#[derive(Debug, clap::Args)]
pub struct Service {
    /// Where the API is: the local stack, or the `ApiUrl` of a deployed one
    #[arg(long, value_name = "URL", env = "HOLDFAST_URL", default_value = "http://127.0.0.1:3000", value_parser = web_url)]
    pub url: Url,

    /// Bearer token (JWT), for a service that asks for one
    #[arg(long, value_name = "JWT", env = "HOLDFAST_TOKEN", hide_env_values = true)]
    pub token: Option<Token>,

    /// Sign with AWS credentials, for a service that authorizes by IAM: from the environment, the profile or the machine's role
    #[arg(long)]
    pub sigv4: bool,
}

/// A secret: it must not reach a log by way of `Debug`.
#[derive(Clone)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// An address that a client can talk to.
pub fn web_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("it must begin with http:// or https://".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_services_and_tokens_stay_secret() {
        assert!(web_url("https://x.execute-api.eu-west-1.amazonaws.com/prod").is_ok());
        assert!(web_url("ftp://x").is_err() && web_url("localhost:3000").is_err() && web_url("").is_err());
        assert!(!format!("{:?}", Token("secret".into())).contains("secret"));
    }
}
