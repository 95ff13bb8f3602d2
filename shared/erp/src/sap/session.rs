//! The session: two cookies for half an hour.

use serde::Deserialize;
use serde_json::json;
use vendor::{
    CallError,
    call::{checked, finished, secret_header},
    token::AccessToken,
    transport::{Request, Response},
};
use wire::Method;

use super::{BusinessOne, order};

/// Where a login does not say. Source: *Working with SAP Business One Service Layer*, `SessionTimeout`, 30 minutes by default.
const SESSION_MINUTES: u64 = 30;

/// The cookies that are sent back.
const COOKIES: [&str; 2] = ["B1SESSION", "ROUTEID"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LoggedIn {
    session_id: Option<String>,
    session_timeout: Option<u64>,
}

impl BusinessOne {
    /// Sends in the session; once more in another if it is over. A login that is refused is not tried again: SAP locks the user after
    /// a few.
    pub(super) async fn call(&self, method: Method, path: &str, body: &[u8]) -> Result<Response, CallError> {
        let first = self.attempt(&method, path, body, &self.cookies().await?).await;
        let Err(CallError::Unauthorized { .. }) = first else { return first };
        self.session.forget().await;
        self.attempt(&method, path, body, &self.cookies().await?).await
    }

    async fn cookies(&self) -> Result<String, CallError> {
        self.session.get(&*self.context.clock, self.log_in()).await
    }

    async fn attempt(&self, method: &Method, path: &str, body: &[u8], cookies: &str) -> Result<Response, CallError> {
        let mut builder = wire::Request::builder()
            .method(method)
            .uri(format!("{}/b1s/v2/{path}", self.base()?))
            .header("accept", "application/json")
            .header("cookie", secret_header(cookies)?);
        if !body.is_empty() {
            builder = builder.header("content-type", "application/json");
        }
        self.send(finished(builder, body.to_vec())?).await
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let response = self.context.transport.send(request).await?;
        match response.status().as_u16() {
            401 | 403 => Err(CallError::Unauthorized {
                reason: order::refusal(&response).unwrap_or_else(|| "SAP does not let us in".to_owned()),
            }),
            _ => checked(response),
        }
    }

    async fn log_in(&self) -> Result<AccessToken, CallError> {
        let credentials = &self.context.credentials;
        let body = json!({
            "CompanyDB": self.context.required("company")?,
            "UserName": credentials.get("user")?, "Password": credentials.get("password")?,
        });
        let builder = wire::Request::post(format!("{}/b1s/v2/Login", self.base()?))
            .header("accept", "application/json")
            .header("content-type", "application/json");
        let asked_at = self.context.clock.now();
        let response = self.send(finished(builder, body.to_string().into_bytes())?).await?;
        if !response.status().is_success() {
            let reason = order::refusal(&response).unwrap_or_else(|| "SAP does not let us in".to_owned());
            return Err(CallError::Unauthorized { reason });
        }
        // The text of the answer is a secret: it is not repeated.
        let not_understood = || CallError::Unavailable { reason: "the answer to a login is not understood".to_owned() };
        let said: LoggedIn = serde_json::from_slice(response.body()).map_err(|_| not_understood())?;
        let mut cookies = cookies(&response);
        if !cookies.iter().any(|cookie| cookie.starts_with("B1SESSION=")) {
            cookies.push(format!("B1SESSION={}", said.session_id.ok_or_else(not_understood)?));
        }
        let minutes = said.session_timeout.unwrap_or(SESSION_MINUTES);
        Ok(AccessToken { text: cookies.join("; "), ends_at: asked_at.plus_seconds(minutes.saturating_mul(60)) })
    }
}

fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs = set.filter_map(|text| text.split(';').next()).map(str::trim);
    let ours = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| COOKIES.contains(&name));
    pairs.filter(ours).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookies_of_the_session_are_kept_without_their_attributes() {
        let mut response = Response::new(Vec::new());
        for cookie in ["B1SESSION=7ab; HttpOnly;", "ROUTEID=.node1; path=/b1s", "CompanyDB=SBODEMO; HttpOnly;"] {
            response.headers_mut().append("set-cookie", cookie.parse().unwrap());
        }
        assert_eq!(cookies(&response), ["B1SESSION=7ab", "ROUTEID=.node1"]);
    }
}
