//! Test only, behind the feature `conformance`: the named tools, prompts and resources that the protocol's conformance
//! suite calls. What they say is in `fixtures/entries.json`; everything else is handled by the server inside.
//!
//! An entry has an `answer`, in which `$name` stands for an argument and `$reply` for what the client replied. Before it
//! answers, it may send `notices`, put a request to the client (`asks`, before 2026), ask in `rounds` (2026), or need a
//! capability.

#![expect(clippy::indexing_slicing, reason = "what is indexed is an object of the entries, and gets the key")]

use std::borrow::Cow;

use rmcp::ErrorData;
use rmcp::model::{
    ClientCapabilities, ClientNotification, ClientRequest, CustomNotification, CustomResult, ProtocolVersion,
    ServerConfig, ServerNotification, ServerRequest, ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, Service};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

#[cfg(not(debug_assertions))]
compile_error!("the feature `conformance` is for tests: it has no place in a release");

/// A server with the fixtures beside what it has.
#[derive(Debug)]
pub(super) struct Fixtures<S> {
    inside: S,
    entries: Value,
    /// What seals the state that a client carries from round to round.
    key: [u8; 32],
}

/// What a request to a fixture carries.
struct Asked {
    arguments: Map<String, Value>,
    responses: Map<String, Value>,
    state: Option<String>,
}

impl<S: Service<RoleServer>> Fixtures<S> {
    /// Puts the fixtures around a server.
    pub(super) fn around(inside: S) -> Self {
        let entries = serde_json::from_str(include_str!("fixtures/entries.json"));
        let key = *blake3::hash(crate::model::JobId::generate().as_bytes()).as_bytes();
        Self { inside, entries: entries.expect("the entries are JSON"), key }
    }

    fn entry(&self, kind: &str, name: &str) -> Option<&Value> {
        self.entries.get(kind)?.get(name)
    }

    /// Returns the entries of a kind as a list has them; `key` is what their name is called there.
    fn listed<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Vec<T> {
        let entries = self.entries.get(kind).and_then(Value::as_object).into_iter().flatten();
        let listed = entries.map(|(name, entry)| {
            let mut entry = entry.clone();
            entry[key] = json!(name);
            entry["name"] = json!(name);
            serde_json::from_value(entry).expect("an entry is what its list holds")
        });
        listed.collect()
    }

    /// Returns the entry that a request is for, and the arguments in the URI when it is one of a template.
    fn fixture(&self, request: &ClientRequest) -> Option<(&Value, Map<String, Value>)> {
        let with = |entry| (entry, Map::new());
        match request {
            ClientRequest::CallToolRequest(it) => self.entry("tools", &it.params.name).map(with),
            ClientRequest::GetPromptRequest(it) => self.entry("prompts", &it.params.name).map(with),
            ClientRequest::ReadResourceRequest(it) => {
                let id =
                    it.params.uri.strip_prefix("test://template/").and_then(|it| it.strip_suffix("/data"));
                match id {
                    Some(id) => {
                        let entry = self.entry("templates", "test://template/{id}/data")?;
                        Some((entry, rmcp::object!({ "id": id })))
                    }
                    None => self.entry("resources", &it.params.uri).map(with),
                }
            }
            ClientRequest::CompleteRequest(it) => {
                self.entry("completions", it.params.r#ref.as_prompt_name()?).map(with)
            }
            _ => None,
        }
    }

    /// Answers a request for a fixture.
    async fn play(
        &self,
        entry: &Value,
        mut asked: Asked,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let capabilities = context.client_capabilities();
        let capabilities = serde_json::to_value(capabilities).unwrap_or_default();
        if let Some(needed) = entry.get("needs")
            && !has(&capabilities, needed)
        {
            let needed: ClientCapabilities = serde_json::from_value(needed.clone()).unwrap_or_default();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        if let Some(token) = context.meta.get_progress_token() {
            asked.arguments.insert("progressToken".to_owned(), json!(token));
        }
        for notice in entry.get("notices").and_then(Value::as_array).into_iter().flatten() {
            notify(notice, &asked.arguments, context).await?;
        }
        if let Some(request) = entry.get("asks") {
            let request: ServerRequest = read(filled(request, &asked.arguments))?;
            let reply = context.peer.send_request(request).await;
            let reply = reply.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            asked.arguments.insert("reply".to_owned(), json!(reply));
        }
        if let Some(rounds) = entry.get("rounds").and_then(Value::as_array) {
            if let Some(question) = self.question(rounds, &asked, &capabilities)? {
                return Ok(question);
            }
            asked.arguments.insert("reply".to_owned(), Value::Object(asked.responses.clone()));
        }
        Ok(filled(entry.get("answer").unwrap_or(&Value::Null), &asked.arguments))
    }

    /// Returns what is still to be asked, if anything is.
    fn question(
        &self,
        rounds: &[Value],
        asked: &Asked,
        capabilities: &Value,
    ) -> Result<Option<Value>, ErrorData> {
        let mut round = match &asked.state {
            Some(state) => self.unseal(state)?,
            None => 0,
        };
        let requests = rounds.get(round).and_then(Value::as_object);
        let answered = |name: &String| asked.responses.get(name).is_some_and(is_response);
        if requests.is_some_and(|requests| requests.keys().all(answered)) {
            round += 1;
        }
        let Some(requests) = rounds.get(round).and_then(Value::as_object) else { return Ok(None) };
        let mut requests = requests.clone();
        requests.retain(|_, request| can_ask(request, capabilities));
        let state = self.seal(round);
        Ok(Some(json!({ "resultType": "input_required", "inputRequests": requests, "requestState": state })))
    }

    fn seal(&self, round: usize) -> String {
        format!("{round}.{}", blake3::keyed_hash(&self.key, round.to_string().as_bytes()).to_hex())
    }

    fn unseal(&self, state: &str) -> Result<usize, ErrorData> {
        let round = state.split_once('.').and_then(|(round, _)| round.parse().ok());
        round
            .filter(|round| self.seal(*round) == state)
            .ok_or_else(|| ErrorData::invalid_params("`requestState` is not what was sent", None))
    }
}

impl<S: Service<RoleServer>> Service<RoleServer> for Fixtures<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let modern = context.protocol_version().is_some_and(|version| !version.has_initialize());
        if let Some((entry, in_uri)) = self.fixture(&request) {
            let mut answer = self.play(entry, asked(&request, in_uri)?, &context).await?;
            if modern {
                answer["resultType"] = answer.get("resultType").cloned().unwrap_or_else(|| json!("complete"));
                if answer.get("contents").is_some() {
                    answer["ttlMs"] = json!(0);
                    answer["cacheScope"] = json!("private");
                }
            }
            return Ok(ServerResult::CustomResult(CustomResult(answer)));
        }
        match &request {
            // The product keeps no log levels and no subscriptions to single resources; the suite wants them accepted.
            ClientRequest::SetLevelRequest(_)
            | ClientRequest::SubscribeRequest(_)
            | ClientRequest::UnsubscribeRequest(_)
                if !modern =>
            {
                Ok(ServerResult::empty(()))
            }
            _ => self.inside.handle_request(request, context).await.map(|result| self.extended(result)),
        }
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.inside.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.inside.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inside.supported_protocol_versions()
    }
}

impl<S: Service<RoleServer>> Fixtures<S> {
    /// Adds the fixtures to a list, and to the hello what they need.
    fn extended(&self, mut result: ServerResult) -> ServerResult {
        match &mut result {
            ServerResult::InitializeResult(hello) => {
                hello.capabilities.logging = Some(Map::new());
                if let Some(resources) = &mut hello.capabilities.resources {
                    resources.subscribe = Some(true);
                }
            }
            ServerResult::ListToolsResult(list) => list.tools.extend(self.listed("tools", "name")),
            ServerResult::ListPromptsResult(list) => list.prompts.extend(self.listed("prompts", "name")),
            ServerResult::ListResourcesResult(list) => list.resources.extend(self.listed("resources", "uri")),
            ServerResult::ListResourceTemplatesResult(list) => {
                list.resource_templates.extend(self.listed("templates", "uriTemplate"));
            }
            _ => {}
        }
        result
    }
}

fn asked(request: &ClientRequest, in_uri: Map<String, Value>) -> Result<Asked, ErrorData> {
    let params = serde_json::to_value(request).ok().and_then(|mut it| it.get_mut("params").map(Value::take));
    let params = params.unwrap_or_default();
    let object = |name: &str| params.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut arguments = object("arguments");
    arguments.extend(in_uri);
    let state = match params.get("requestState") {
        None | Some(Value::Null) => None,
        Some(Value::String(state)) => Some(state.clone()),
        Some(_) => return Err(ErrorData::invalid_params("`requestState` is no text", None)),
    };
    Ok(Asked { arguments, responses: object("inputResponses"), state })
}

/// Sends a notification; one about progress only to who asked for it.
async fn notify(
    notice: &Value,
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Result<(), ErrorData> {
    let method = notice.get("method").and_then(Value::as_str).unwrap_or_default();
    if method == "notifications/progress" && !arguments.contains_key("progressToken") {
        return Ok(());
    }
    let params = notice.get("params").map(|params| filled(params, arguments));
    let notification = CustomNotification::new(method, params);
    let sent = context.peer.send_notification(ServerNotification::CustomNotification(notification)).await;
    sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    Ok(())
}

/// Returns the value with `$name` replaced by the argument of that name, in every text.
fn filled(value: &Value, arguments: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => {
            if let Some(whole) = text.strip_prefix('$').and_then(|name| arguments.get(name)) {
                return whole.clone();
            }
            let fill = |text: String, (name, value): (&String, &Value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.replace(&format!("${name}"), &value)
            };
            Value::String(arguments.iter().fold(text.clone(), fill))
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, arguments)).collect()),
        Value::Object(object) if !object.contains_key("requestedSchema") => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), filled(value, arguments))).collect())
        }
        Value::Object(object) => {
            let mut object = object.clone();
            if let Some(message) = object.get_mut("message") {
                *message = filled(message, arguments);
            }
            Value::Object(object)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether a client has every capability that is needed.
fn has(capabilities: &Value, needed: &Value) -> bool {
    needed
        .as_object()
        .is_none_or(|needed| needed.keys().all(|name| capabilities.get(name).is_some_and(Value::is_object)))
}

fn can_ask(request: &Value, capabilities: &Value) -> bool {
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    let capability = method.split('/').next().unwrap_or_default();
    capabilities.get(capability).is_some_and(Value::is_object)
}

/// Whether this is how a client replies: to a form, to its model, or with its roots.
fn is_response(response: &Value) -> bool {
    match response.get("action").and_then(Value::as_str) {
        Some("accept") => response.get("content").is_some_and(Value::is_object),
        Some(_) => true,
        None => ["content", "roots"].iter().any(|key| response.get(key).is_some_and(|it| !it.is_null())),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
