import { type Facts, readme } from "./project.ts";

const client = `use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// What the server refused, or why it could not be asked (then \`http_status\` is 0).
#[derive(Debug)]
pub struct AgentIdpError {
    pub code: String,
    pub http_status: u16,
    pub details: Value,
}

impl AgentIdpError {
    fn new(code: &str, http_status: u16, details: impl Into<Value>) -> Self {
        Self { code: code.to_string(), http_status, details: details.into() }
    }
}

impl std::fmt::Display for AgentIdpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (HTTP {})", self.code, self.http_status)
    }
}

impl std::error::Error for AgentIdpError {}

struct Token {
    value: String,
    asked_at: Instant,
    life: Duration,
}

impl Token {
    fn is_fresh(&self) -> bool {
        self.asked_at.elapsed() + RENEW_BEFORE < self.life
    }
}

/// Calls the API as this agent. It keeps its token and renews it a minute before it ends.
pub struct Client {
    api_url: String,
    client_id: String,
    client_secret: String,
    scope: String,
    http: ureq::Agent,
    token: Mutex<Option<Token>>,
}

fn setting(name: &str) -> Result<String, AgentIdpError> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(AgentIdpError::new("settings_missing", 0, format!("Set {name}; see .env.example."))),
    }
}

impl Client {
    pub fn from_environment() -> Result<Self, AgentIdpError> {
        Ok(Self {
            api_url: setting("AGENTIDP_API_URL")?,
            client_id: setting("AGENTIDP_CLIENT_ID")?,
            client_secret: setting("AGENTIDP_CLIENT_SECRET")?,
            scope: setting("AGENTIDP_SCOPE")?,
            // It follows no redirect: one would carry the secret elsewhere.
            http: ureq::AgentBuilder::new().redirects(0).timeout(Duration::from_secs(30)).build(),
            token: Mutex::new(None),
        })
    }

    /// What the server knows of this agent.
    pub fn agent_info(&self) -> Result<Value, AgentIdpError> {
        self.call("GET", "/agent-info", None)
    }

    /// One call; once more with a new token if the server takes the old one no longer.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, AgentIdpError> {
        let token = self.access_token()?;
        match self.call_once(&token, method, path, body) {
            Err(error) if error.http_status == 401 => {
                self.forget(&token);
                self.call_once(&self.access_token()?, method, path, body)
            }
            other => other,
        }
    }

    fn call_once(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, AgentIdpError> {
        let request = self
            .http
            .request(method, &format!("{}{}", self.api_url, path))
            .set("Authorization", &format!("Bearer {token}"));
        match body {
            None => answer_of(request.call()),
            Some(body) => {
                let request = request.set("Content-Type", "application/json");
                answer_of(request.send_string(&body.to_string()))
            }
        }
    }

    /// Calls at once wait for the same token.
    pub fn access_token(&self) -> Result<String, AgentIdpError> {
        let mut kept = self.token.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(token) = kept.as_ref() {
            if token.is_fresh() {
                return Ok(token.value.clone());
            }
        }
        let asked_at = Instant::now();
        let request = self.http.post(&format!("{}/api/v1/token", self.api_url));
        let answer = answer_of(request.send_form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("scope", &self.scope),
        ]))?;
        match (answer["access_token"].as_str(), answer["expires_in"].as_u64()) {
            (Some(value), Some(life_s)) => {
                let value = value.to_string();
                let life = Duration::from_secs(life_s);
                *kept = Some(Token { value: value.clone(), asked_at, life });
                Ok(value)
            }
            _ => Err(AgentIdpError::new("invalid_answer", 200, "The token endpoint answered without a token.")),
        }
    }

    fn forget(&self, used: &str) {
        let mut kept = self.token.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if kept.as_ref().is_some_and(|token| token.value == used) {
            *kept = None;
        }
    }
}

fn answer_of(sent: Result<ureq::Response, ureq::Error>) -> Result<Value, AgentIdpError> {
    let response = match sent {
        Ok(response) | Err(ureq::Error::Status(_, response)) => response,
        Err(error) => return Err(AgentIdpError::new("no_answer", 0, error.to_string())),
    };
    let status = response.status();
    let text = response.into_string().unwrap_or_default();
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let code = answer["code"].as_str().or(answer["error"].as_str()).unwrap_or("http_error").to_string();
    Err(AgentIdpError::new(&code, status, answer))
}
`;

const main = `mod client;

use client::{AgentIdpError, Client};

fn main() {
    match run() {
        Ok(info) => println!("{info:#}"),
        Err(error) => {
            let AgentIdpError { code, http_status, details } = error;
            eprintln!("{}", serde_json::json!({ "code": code, "httpStatus": http_status, "details": details }));
            std::process::exit(1);
        }
    }
}

fn run() -> Result<serde_json::Value, AgentIdpError> {
    Client::from_environment()?.agent_info()
}
`;

export const rust = (facts: Facts): Record<string, string> => ({
  "Cargo.toml": `[package]
name = ${JSON.stringify(facts.slug)}
version = "0.1.0"
edition = "2021"
rust-version = "1.70"
publish = false

[dependencies]
serde_json = "1"
ureq = "2"
`,
  ".gitignore": "/target\n.env\n",
  "src/client.rs": client,
  "src/main.rs": main,
  "README.md": readme(facts, {
    needs:
      "Rust 1.70 or later; it downloads `ureq` and `serde_json`, since the standard library speaks no TLS.",
    run: ["set -a; . ./.env; set +a", "cargo run"],
    where: "`src/client.rs` is the client, `src/main.rs` what your agent does.",
  }),
});
