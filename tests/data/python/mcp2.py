"""The official client of 2026: the package `mcp`, version 2."""

import asyncio
import contextlib
import os

import mcp
from mcp import types
from scenario import main


def dump(model):
    return model.model_dump(mode="json", by_alias=True)


class Peer:
    def __init__(self, client):
        self.client = client

    def version(self):
        return self.client.protocol_version

    async def tools(self):
        return [dump(tool) for tool in (await self.client.list_tools()).tools]

    async def call(self, name, arguments, on_progress=None):
        return dump(await self.client.call_tool(name, arguments, progress_callback=on_progress))

    async def cancelled_call(self, name, arguments, until):
        call = asyncio.create_task(self.call(name, arguments))
        await until()
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call

    async def resources(self):
        return [dump(it) for it in (await self.client.list_resources(cache_mode="refresh")).resources]

    async def templates(self):
        return [dump(it) for it in (await self.client.list_resource_templates()).resource_templates]

    async def read(self, uri):
        return (await self.client.read_resource(uri)).contents[0].text

    async def prompts(self):
        return [dump(it) for it in (await self.client.list_prompts()).prompts]

    async def prompt(self, name, arguments):
        return (await self.client.get_prompt(name, arguments)).messages[0].content.text

    async def complete(self, prompt, argument, value):
        reference = types.PromptReference(type="ref/prompt", name=prompt)
        result = await self.client.complete(reference, {"name": argument, "value": value})
        return result.completion.values


@contextlib.asynccontextmanager
async def connect(server, mode):
    parameters = mcp.StdioServerParameters(command=server, args=["serve"], env=dict(os.environ))
    async with mcp.Client(parameters, mode=mode) as client:
        yield Peer(client)


main(connect)
