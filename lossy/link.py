"""Two network namespaces, and a link between them that is slow and loses packets."""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

# From linux/if_tun.h.
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
LONGEST_PACKET = 65_535


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


class Link:
    """Carries each packet after `delay` seconds, and none of `loss` in a hundred of them, in both directions.

    Its ends are devices of namespaces of their own, in which nothing else is: what runs there reaches the other end, and itself.
    """

    def __init__(self, delay, loss, seed):
        self.delay, self.loss, self.random = delay, loss / 100, random.Random(seed)
        self.spaces = [f"lossy{os.getpid()}{end}" for end in "ab"]
        self.addresses = ["10.99.0.1", "10.99.0.2"]
        self.carried = self.lost = 0
        self.is_over = False
        self.devices = []

    def __enter__(self):
        try:
            for space, own, other in zip(self.spaces, self.addresses, reversed(self.addresses)):
                ip("netns", "add", space)
                device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                self.devices.append(device)
                # It stays with this process, wherever it is moved.
                fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", space.encode(), IFF_TUN | IFF_NO_PI))
                ip("link", "set", space, "netns", space)
                ip("-n", space, "addr", "add", own, "peer", other, "dev", space)
                ip("-n", space, "link", "set", space, "up")
                ip("-n", space, "link", "set", "lo", "up")
            self.carrying = threading.Thread(target=self.carry, daemon=True)
            self.carrying.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.carrying.join()
        self.close()

    def close(self):
        for device in self.devices:
            os.close(device)
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)

    def carry(self):
        other = dict(zip(self.devices, reversed(self.devices)))
        # By the time when they are due; those of one time in the order in which they came.
        under_way, number = [], 0
        while not self.is_over:
            patience = 0.1
            if under_way:
                patience = max(0.0, under_way[0][0] - time.monotonic())
            for device in select.select(self.devices, [], [], patience)[0]:
                try:
                    packet = os.read(device, LONGEST_PACKET)
                except BlockingIOError:
                    continue
                if self.random.random() < self.loss:
                    self.lost += 1
                    continue
                self.carried += 1
                number += 1
                heapq.heappush(under_way, (time.monotonic() + self.delay, number, other[device], packet))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(under_way)
                try:
                    os.write(device, packet)
                except OSError:
                    # Whoever it was for takes no more.
                    self.lost += 1
