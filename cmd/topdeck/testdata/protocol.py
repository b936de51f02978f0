"""Speaks the WebSocket protocol (RFC 6455, RFC 7692) to topdeck by a library that is not Go's: URL ORIGIN COOKIE.

Each case is a line: its name, and "ok" or what went otherwise."""
import asyncio
import json
import sys

import websockets

url, origin, cookie = sys.argv[1:]


def connect(**more):
    more = {"subprotocols": ["topdeck.v1"], "origin": origin, "extra_headers": {"Cookie": cookie}, "max_size": None, "ping_interval": None, **more}
    return websockets.connect(url, **more)


async def until(ws, kind):
    while True:
        message = json.loads(await ws.recv())
        if message["type"] == kind:
            return message


def watch(identity, topic="summary"):
    return json.dumps({"watch": {"id": identity, "topic": topic}})


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


async def refused(status, **more):
    try:
        async with connect(**more):
            raise AssertionError("taken")
    except websockets.exceptions.InvalidStatusCode as e:
        same(e.status_code, status)


def frame(fin, opcode, data):
    """A frame as it goes over the wire, which the library would not send; its mask is 0."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big") if len(data) < 1 << 16 else b"\xff" + len(data).to_bytes(8, "big")
    return bytes([fin << 7 | opcode]) + size + bytes(4) + data


async def closed(*codes, frames):
    """How the server closes when it is sent these (fin, opcode, data)."""
    async with connect(compression=None) as ws:
        await until(ws, "hello")
        for parts in frames:
            ws.transport.write(frame(*parts))
        try:
            while True:
                await ws.recv()
        except websockets.exceptions.ConnectionClosed as e:
            code = e.rcvd.code if e.rcvd else None
            if code not in codes:
                raise AssertionError(f"closed with {code}, want {codes}") from None


async def handshake():
    async with connect() as ws:
        same(ws.subprotocol, "topdeck.v1")
        same((await until(ws, "hello"))["type"], "hello")


async def compressed():
    async with connect(compression="deflate") as ws:
        same([e.name for e in ws.extensions], ["permessage-deflate"])
        await ws.send(watch("p", "processes"))
        assert (await until(ws, "snapshot"))["rows"]


async def uncompressed():
    async with connect(compression=None) as ws:
        same(list(ws.extensions), [])
        await ws.send(watch("p", "processes"))
        assert (await until(ws, "snapshot"))["rows"]


async def fragments():
    async with connect() as ws:
        text = watch("in pieces")
        await ws.send([text[:1], text[1:20], text[20:]])
        same((await until(ws, "watching"))["id"], "in pieces")


async def ping_between_fragments():
    async with connect(compression=None) as ws:
        text = watch("p").encode()
        ws.transport.write(frame(False, 1, text[:9]))
        answer = await ws.ping(b"between")
        ws.transport.write(frame(True, 0, text[9:]))
        await answer
        same((await until(ws, "watching"))["id"], "p")


async def pongs():
    async with connect() as ws:
        for data in (b"", b"x" * 125):
            await (await ws.ping(data))
        await ws.pong(b"nobody asked")
        await ws.send(watch("p"))
        await until(ws, "watching")


async def close_is_answered():
    ws = await connect()
    await ws.close(4321, "goodbye")
    same(ws.close_code, 4321)


cases = {
    "handshake": handshake(),
    "compressed": compressed(),
    "not compressed": uncompressed(),
    "a message in fragments": fragments(),
    "a ping between fragments": ping_between_fragments(),
    "pings and pongs": pongs(),
    "a close is answered": close_is_answered(),
    "another origin": refused(403, origin="http://evil.example"),
    "no session": refused(401, extra_headers={}),
    "64 KiB and more": closed(1009, frames=[(True, 1, b"x" * 70000)]),
    "more in fragments": closed(1009, frames=[(False, 1, b"x" * 40000), (True, 0, b"x" * 40000)]),
    "an unknown opcode": closed(1002, frames=[(True, 3, b"")]),
    "a ping in fragments": closed(1002, frames=[(False, 9, b"x")]),
    "a ping of 126 bytes": closed(1002, frames=[(True, 9, b"x" * 126)]),
    "a continuation of nothing": closed(1002, frames=[(True, 0, b"x")]),
    "a message in a message": closed(1002, frames=[(False, 1, b"x"), (True, 1, b"x")]),
    "a close of one byte": closed(1002, 1005, frames=[(True, 8, b"x")]),
    "a close with a code that none may send": closed(1002, frames=[(True, 8, b"\x03\xed")]),
    "a close with text that is not UTF-8": closed(1002, 1007, frames=[(True, 8, b"\x03\xe8\xff")]),
}


async def main():
    for name, case in cases.items():
        try:
            await asyncio.wait_for(case, 60)
            print(f"{name}: ok")
        except BaseException as e:
            print(f"{name}: {type(e).__name__} {e}")


asyncio.run(main())
