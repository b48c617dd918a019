"""A server made with FastMCP: notes, in pages of two, and tools that report, ask and fail.

python notes_server.py [--record FILE]: says `listening on http://127.0.0.1:PORT/mcp`. What reaches it is in the record.
"""

import asyncio
import json
import socket
import sys

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from pydantic import BaseModel

RECORD = sys.argv[sys.argv.index("--record") + 1] if "--record" in sys.argv else None
NOTES = {"1": "buy milk", "2": "call Ada", "secret": "the vault opens at noon"}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccff0bf1e00058202"
    "7f3dc848ef0000000049454e44ae426082"
)

server = FastMCP("notes", instructions="Notes, in pages of two.", version="1.0.0", list_page_size=2)


def reached(what, **args):
    if RECORD:
        with open(RECORD, "a") as record:
            record.write(json.dumps({"what": what, "args": args}) + "\n")


class Note(BaseModel):
    id: str
    text: str


@server.tool
def find(word: str) -> list[Note]:
    """Notes in which a word stands."""
    reached("find", word=word)
    return [Note(id=id, text=text) for id, text in NOTES.items() if word in text and id != "secret"]


@server.tool
def add(id: str, text: str, tags: list[str] | None = None, weight: float = 0.5) -> str:
    """Adds a note, as if."""
    reached("add", id=id, text=text)
    return f"{id}: {text} {tags} {weight}"


@server.tool
async def export(steps: int, context: Context) -> dict:
    """Says how far it is."""
    reached("export", steps=steps)
    for step in range(steps):
        await context.report_progress(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(0.02)
    return {"steps": steps}


@server.tool
async def confirm(question: str, context: Context) -> str:
    """Asks the user."""
    reached("confirm", question=question)
    answer = await context.elicit(question, str)
    return f"{answer.action}: {getattr(answer, 'data', None)}"


@server.tool
def picture() -> Image:
    """One pixel."""
    return Image(data=PIXEL, format="png")


@server.tool
def fail(why: str) -> str:
    """Fails."""
    raise ToolError(f"failed: {why}")


@server.tool
def erase(id: str) -> str:
    """Erases a note, as if. Nobody may."""
    reached("erase", id=id)
    return "gone"


@server.resource("notes://all")
def every() -> str:
    """Every note but one."""
    reached("notes://all")
    return "\n".join(text for id, text in NOTES.items() if id != "secret")


@server.resource("notes://pixel", mime_type="image/png")
def pixel() -> bytes:
    """One pixel."""
    return PIXEL


@server.resource("notes://count", mime_type="application/json")
def count() -> str:
    """How many there are."""
    return json.dumps({"count": len(NOTES)})


@server.resource("notes://note/{id}")
def note(id: str) -> str:
    """One note."""
    reached("notes://note", id=id)
    return NOTES[id]


@server.prompt
def summarize(id: str) -> str:
    """Asks for a summary."""
    reached("summarize", id=id)
    return f"Summarize this: {NOTES[id]}"


@server.prompt
def greet() -> str:
    """Asks for a greeting."""
    return "Say hello."


@server.prompt
def forge(signature: str) -> str:
    """Nobody may."""
    reached("forge", signature=signature)
    return f"Sign as {signature}."


with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    serving = server.run_http_async(show_banner=False, log_level="error", sockets=[listener], path="/mcp")
    asyncio.run(serving)
