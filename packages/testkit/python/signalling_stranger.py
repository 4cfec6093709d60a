"""A stranger at the rendezvous server: joins a pool by its number alone and prints every signalling message that comes, a line each.

Arguments: server's address, port, pool. Plain sockets (RFC 6455 by hand), so that no code of ours takes part. Ends when its input ends.
"""
import base64
import json
import os
import select
import socket
import struct
import sys

OPCODE_TEXT, OPCODE_CLOSE, OPCODE_PING, OPCODE_PONG = 1, 8, 9, 10

address, port, pool = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = socket.create_connection((address, port), 10)
key = base64.b64encode(os.urandom(16)).decode()
connection.sendall(
    (
        f"GET /signal HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
)
received = b""
while b"\r\n\r\n" not in received:
    received += connection.recv(4096)
head, received = received.split(b"\r\n\r\n", 1)
if b" 101 " not in head.split(b"\r\n")[0]:
    sys.exit(head.decode(errors="replace"))


def send(opcode, payload):
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    length = len(payload)
    size = struct.pack("!B", 0x80 | length) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
    connection.sendall(bytes([0x80 | opcode]) + size + mask + masked)


def take_frame():
    """One frame off the front of what was received: (opcode, payload), or None while it is not whole."""
    global received
    if len(received) < 2:
        return None
    length, start = received[1] & 0x7F, 2
    if length == 126:
        if len(received) < 4:
            return None
        length, start = struct.unpack("!H", received[2:4])[0], 4
    if len(received) < start + length:
        return None
    frame = received[0] & 0x0F, received[start : start + length]
    received = received[start + length :]
    return frame


join = {"type": "join", "version": 1, "pool": pool, "client": os.urandom(16).hex(), "kind": "terminal", "name": "stranger"}
send(OPCODE_TEXT, json.dumps(join).encode())
pings = 0
while True:
    ready, _, _ = select.select([connection, sys.stdin], [], [], 1)
    if not ready:
        pings += 1
        send(OPCODE_TEXT, json.dumps({"type": "ping", "id": pings}).encode())
    if sys.stdin in ready and os.read(0, 4096) == b"":
        break
    if connection in ready:
        chunk = connection.recv(65_536)
        if chunk == b"":
            break
        received += chunk
        while (frame := take_frame()) is not None:
            opcode, payload = frame
            if opcode == OPCODE_TEXT:
                print(payload.decode(), flush=True)
            elif opcode == OPCODE_PING:
                send(OPCODE_PONG, payload)
            elif opcode == OPCODE_CLOSE:
                sys.exit(f"closed: {payload!r}")
