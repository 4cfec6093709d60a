"""Plain UDP sockets for somebody outside this network namespace, driven by JSON lines.

Input lines: {"open": number, "address": address, "port": port or 0} -> {"opened": number, "port": port}
             {"socket": number, "to": [address, port], "text": "..."}
             {"close": number}
Prints {"socket": number, "from": [address, port], "text": "..."} for each datagram. Ends when its input ends.
"""
import json
import os
import select
import socket
import sys

MAX_DATAGRAM_BYTES = 65_535
sockets = {}
numbers = {}
poll = select.epoll()
poll.register(0, select.EPOLLIN | select.EPOLLHUP)
pending = b""


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")


def obey(line):
    if "open" in line:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind((line["address"], line["port"]))
        sockets[line["open"]] = one
        numbers[one.fileno()] = line["open"]
        poll.register(one.fileno(), select.EPOLLIN)
        say(opened=line["open"], port=one.getsockname()[1])
    elif "close" in line:
        one = sockets.pop(line["close"])
        poll.unregister(one.fileno())
        del numbers[one.fileno()]
        one.close()
    else:
        try:
            sockets[line["socket"]].sendto(line["text"].encode(), tuple(line["to"]))
        except OSError:
            pass  # Unreachable, or refused by ICMP: as if it were lost.


def receive(number):
    for _ in range(64):
        try:
            data, source = sockets[number].recvfrom(MAX_DATAGRAM_BYTES)
        except OSError:
            return
        say(socket=number, **{"from": source}, text=data.decode(errors="replace"))


running = True
while running:
    for descriptor, _ in poll.poll():
        if descriptor == 0:
            chunk = os.read(0, 1 << 16)
            running = chunk != b""
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                obey(json.loads(line))
        elif descriptor in numbers:
            receive(numbers[descriptor])
    sys.stdout.flush()
