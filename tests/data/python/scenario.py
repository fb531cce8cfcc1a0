"""What every client does with the server; the files beside this one say how.

A peer module has `connect(server, mode)`: an asynchronous context manager of an object with the methods used here. Results are
taken as the dictionaries that the protocol sends. The clients check structured results against the schemas themselves.
"""

import asyncio
import json
import os
import sys

PATIENCE = 60


async def until(condition, what):
    """Waits for a condition, which may be a coroutine function."""
    for _ in range(PATIENCE * 50):
        found = condition()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        await asyncio.sleep(0.02)
    raise TimeoutError(what)


def document(result):
    """Returns what a call returned; it must have gone well."""
    assert not result.get("isError"), result
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"], result
    return result["structuredContent"]


async def talk(peer, scratch, expected_version):
    assert peer.version() == expected_version, peer.version()

    tools = {tool["name"]: tool for tool in await peer.tools()}
    assert {"list_agents", "dispatch", "dispatch_wait"} <= set(tools), tools
    agents = document(await peer.call("list_agents", {}))
    assert [agent["name"] for agent in agents["agents"]] == ["worker", "other"], agents
    document(await peer.call("inspect_agent", {"name": "worker"}))

    # A run that goes on until its progress has been heard.
    heard, go = [], os.path.join(scratch, f"go-{os.getpid()}")

    async def on_progress(done, total, message):
        heard.append(message)
        open(go, "w").close()

    task = f"fake: tool Bash ls; wait {go}; cost 0.5; say grüße"
    done = document(await peer.call("dispatch", {"agent": "worker", "task": task}, on_progress))
    assert done["result"] == "grüße" and done["cost_usd"] == 0.5, done
    assert any("worker" in (message or "") for message in heard), heard
    job = done["job_id"]

    # Every shape of result that has a schema.
    document(await peer.call("dispatch", {"agent": "worker", "task": "fake: say long", "return_ref": True}))
    waiting = document(await peer.call("dispatch_async", {"agent": "other", "task": "fake: say later"}))
    several = {"job_id": f"{job},{waiting['job_id']}"}
    assert len(document(await peer.call("dispatch_wait", several))["jobs"]) == 2
    document(await peer.call("dispatch_wait", {"job_id": waiting["job_id"]}))
    document(await peer.call("dispatch_status", {"job_id": job}))
    document(await peer.call("fetch_result", {"ref": job, "max_chars": 2}))

    for name, arguments, part in [
        ("dispatch", {"agent": "wroker", "task": "x"}, "worker"),
        ("dispatch", {"agent": "worker", "task": "fake: fail"}, "cli_error"),
        ("dispatch", {"agent": "worker", "task": "x", "agnet": "y"}, "did you mean `agent`"),
    ]:
        failed = await peer.call(name, arguments)
        assert failed["isError"] and part in failed["content"][0]["text"], failed

    # A call that is taken back really stops.
    there = os.path.join(scratch, f"there-{os.getpid()}")
    await peer.cancelled_call(
        "dispatch",
        {"agent": "worker", "task": f"fake: touch {there}; hang"},
        lambda: until(lambda: os.path.exists(there), "the run starts"),
    )

    async def is_cancelled():
        jobs = await peer.resources()
        return any("hang" in it["title"] and it["description"].startswith("cancelled") for it in jobs)

    await until(is_cancelled, "the run is cancelled")

    uris = [resource["uri"] for resource in await peer.resources()]
    assert uris[0] == "agent-dispatch://agents" and f"agent-dispatch://jobs/{job}" in uris, uris
    assert json.loads(await peer.read("agent-dispatch://agents")) == agents
    assert await peer.read(f"agent-dispatch://results/{job}") == "grüße"
    templates = [template["uriTemplate"] for template in await peer.templates()]
    assert "agent-dispatch://results/{ref}" in templates, templates

    assert [prompt["name"] for prompt in await peer.prompts()] == ["delegate", "review"]
    assert "`agent` = `worker`" in await peer.prompt("delegate", {"agent": "worker"})
    assert job in await peer.prompt("review", {"since": "1h"})
    assert await peer.complete("delegate", "agent", "oth") == ["other"]


def main(connect):
    """Runs `SCRIPT SERVER SCRATCH MODE VERSION`."""
    server, scratch, mode, version = sys.argv[1:]

    async def run():
        async with connect(server, mode) as peer:
            await asyncio.wait_for(talk(peer, scratch, version), PATIENCE)

    asyncio.run(run())
    print("all went well")
