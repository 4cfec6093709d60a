"""Links with delay between network namespaces, since not every kernel has netem: each link is a pair of TUN devices.

Arguments: delay in milliseconds, then two device names for each link. Prints "ready" when all devices exist; whoever started it
moves them to their namespaces. What goes into one device comes out of the other after the delay. Ends when its input ends.
"""
import collections
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET_BYTES = 65_535
# A queue like that of a router: 64 MB/s over 100 ms.
MAX_QUEUED = 5_000

delay = float(sys.argv[1]) / 1000


def open_tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


devices = [open_tun(name) for name in sys.argv[2:]]
other_end = {}
for one, other in zip(devices[::2], devices[1::2]):
    other_end[one] = other
    other_end[other] = one
waiting = collections.deque()
print("ready", flush=True)

poll = select.epoll()
for descriptor in devices:
    poll.register(descriptor, select.EPOLLIN)
poll.register(0, select.EPOLLIN | select.EPOLLHUP)

running = True
while running:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now:
        _, device, packet = waiting.popleft()
        try:
            os.write(device, packet)
        except OSError:
            pass  # The device is down, or was deleted with its namespace.
    timeout = waiting[0][0] - time.monotonic() if waiting else -1
    for descriptor, _ in poll.poll(max(timeout, 0) if waiting else None):
        if descriptor == 0:
            running = bool(os.read(0, 4096))
            continue
        for _ in range(64):
            try:
                packet = os.read(descriptor, MAX_PACKET_BYTES)
            except BlockingIOError:
                break
            except OSError:
                poll.unregister(descriptor)
                break
            if len(waiting) < MAX_QUEUED:
                waiting.append((time.monotonic() + delay, other_end[descriptor], packet))
