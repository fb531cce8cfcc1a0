"""The official client of 2025: the package `mcp`, version 1."""

import asyncio
import contextlib
import os

import mcp
from mcp import types
from scenario import main


def dump(model):
    return model.model_dump(mode="json", by_alias=True)


class Peer:
    def __init__(self, session, hello):
        self.session = session
        self.hello = hello

    def version(self):
        return self.hello.protocolVersion

    async def tools(self):
        return [dump(tool) for tool in (await self.session.list_tools()).tools]

    async def call(self, name, arguments, on_progress=None):
        return dump(await self.session.call_tool(name, arguments, progress_callback=on_progress))

    async def cancelled_call(self, name, arguments, until):
        number = self.session._request_id  # the next one: this client has no way to take a request back
        call = asyncio.create_task(self.call(name, arguments))
        await until()
        params = types.CancelledNotificationParams(requestId=number, reason="no longer wanted")
        await self.session.send_notification(
            types.ClientNotification(types.CancelledNotification(method="notifications/cancelled", params=params))
        )
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    async def resources(self):
        return [dump(it) for it in (await self.session.list_resources()).resources]

    async def templates(self):
        return [dump(it) for it in (await self.session.list_resource_templates()).resourceTemplates]

    async def read(self, uri):
        return (await self.session.read_resource(uri)).contents[0].text

    async def prompts(self):
        return [dump(it) for it in (await self.session.list_prompts()).prompts]

    async def prompt(self, name, arguments):
        return (await self.session.get_prompt(name, arguments)).messages[0].content.text

    async def complete(self, prompt, argument, value):
        reference = types.PromptReference(type="ref/prompt", name=prompt)
        result = await self.session.complete(reference, {"name": argument, "value": value})
        return result.completion.values


@contextlib.asynccontextmanager
async def connect(server, mode):
    assert mode == "legacy"
    parameters = mcp.StdioServerParameters(command=server, args=["serve"], env=dict(os.environ))
    async with mcp.stdio_client(parameters) as streams, mcp.ClientSession(*streams) as session:
        yield Peer(session, await session.initialize())


main(connect)
