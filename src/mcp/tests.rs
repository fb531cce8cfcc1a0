//! What holds for every request: a panic is answered, and the server goes on.

use std::collections::BTreeMap;

use rmcp::handler::server::router::tool::ToolRoute;
use rmcp::model::{JsonObject, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

use crate::config::paths::Environment;

use super::*;

/// Serves these tools to the returned stream, on which `initialize` is done.
async fn serve_only(tools: ToolRouter<Server>) -> BufReader<DuplexStream> {
    let variables = BTreeMap::from([("HOME".into(), "/nowhere".into())]);
    let environment = Environment::new(variables, "/".into(), "/nowhere/agent-dispatch".into()).unwrap();
    let closing = CancellationToken::new();
    converse_with(Server::new(Frontend::new(environment), tools, closing.clone()), closing).await
}

/// Lets this service talk to the returned stream, on which `initialize` is done.
async fn converse_with<S: ServerHandler>(server: S, closing: CancellationToken) -> BufReader<DuplexStream> {
    let (client, stream) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(stream);
    let lines = lines::Lines::new(reader, writer, closing.clone());
    tokio::spawn(converse(answering::Answering(server), lines, closing));
    let mut client = BufReader::new(client);
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    ask(&mut client, "initialize", hello).await;
    client
}

async fn ask(client: &mut BufReader<DuplexStream>, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    client.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    client.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

fn tool(name: &'static str) -> Tool {
    Tool::new(name, "", JsonObject::new())
}

#[tokio::test]
async fn a_panicking_tool_answers_and_the_server_goes_on() {
    let mut tools = ToolRouter::new();
    tools.add_route(ToolRoute::new_dyn(tool("before"), |_| panic!("on purpose, at once")));
    tools.add_route(ToolRoute::new_dyn(tool("after"), |_| {
        Box::pin(async {
            tokio::task::yield_now().await;
            panic!("on purpose, later")
        })
    }));
    let mut client = serve_only(tools).await;
    for name in ["before", "after", "before"] {
        let answer = ask(&mut client, "tools/call", json!({"name": name})).await;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        let document: Value = serde_json::from_str(text).unwrap();
        assert_eq!(document["code"], "internal", "{document}");
        assert!(document["error"].as_str().unwrap().contains(name), "{document}");
    }
    let pong = ask(&mut client, "ping", json!({})).await;
    assert_eq!(pong["result"], json!({}), "{pong}");
}

/// A server with nothing but mistakes.
struct Clumsy;

impl ServerHandler for Clumsy {
    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        panic!("on purpose, at once")
    }

    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        tokio::task::yield_now().await;
        panic!("on purpose, later")
    }

    fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<CompleteResult, ErrorData>> {
        assert_eq!(request.argument.name, "on purpose, before there is a future");
        std::future::pending()
    }
}

#[tokio::test]
async fn a_panic_in_any_other_request_is_answered_too() {
    let mut client = converse_with(Clumsy, CancellationToken::new()).await;
    let reference = json!({"type": "ref/prompt", "name": "p"});
    let complete = json!({"ref": reference, "argument": {"name": "a", "value": ""}});
    for (method, params) in [
        ("prompts/list", json!({})),
        ("resources/read", json!({"uri": "test://x"})),
        ("completion/complete", complete),
        ("prompts/list", json!({})),
    ] {
        let answer = ask(&mut client, method, params).await;
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(method), "{answer}");
    }
    let pong = ask(&mut client, "ping", json!({})).await;
    assert_eq!(pong["result"], json!({}), "{pong}");
}
