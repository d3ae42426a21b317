"""A switch in user space: one TAP device in each network namespace, and between any two of them
delay, jitter, loss or nothing at all. Needs no netem and no bridge, only root and /dev/net/tun.

    python3 switch.py CONTROL.json NAMESPACE=ADDRESS/PREFIX…

CONTROL.json is read again when it changes: {"default": {"delay": s, "jitter": s, "loss": share},
"A>B": {"down": true}}. Ends with its standard input.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import time

SET_INTERFACE, TAP, NO_HEADER, NETWORK_NAMESPACE = 0x400454CA, 0x0002, 0x1000, 0x40000000
LOOK_AT_RULES_EVERY = 0.02


def enter(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, NETWORK_NAMESPACE) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def plug_in(namespace, address):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    target = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    enter(target)
    try:
        port = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(port, SET_INTERFACE, struct.pack("16sH22x", b"tap0", TAP | NO_HEADER))
        for command in (
            f"ip address add {address} dev tap0",
            "ip link set tap0 mtu 1400 up",
            "ip link set lo up",
        ):
            subprocess.run(command.split(), check=True)
    finally:
        enter(home)
        os.close(target)
        os.close(home)
    return port


class Switch:
    def __init__(self, control, ports):
        self.control, self.ports = control, ports
        self.rules, self.changed, self.looked = {}, None, 0.0
        self.places, self.waiting, self.number = {}, [], 0
        self.selector = selectors.DefaultSelector()
        for name, port in ports.items():
            self.selector.register(port, selectors.EVENT_READ, name)
        self.selector.register(0, selectors.EVENT_READ, None)

    def look_at_rules(self, now):
        if now - self.looked < LOOK_AT_RULES_EVERY:
            return
        self.looked = now
        try:
            changed = os.stat(self.control).st_mtime_ns
            if changed != self.changed:
                with open(self.control) as file:
                    self.rules = json.load(file)
                self.changed = changed
        except (OSError, ValueError):
            pass

    def rule(self, source, target):
        return {**self.rules.get("default", {}), **self.rules.get(f"{source}>{target}", {})}

    def deliver(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.waiting)
            try:
                os.write(self.ports[target], frame)
            except OSError:
                pass

    def take(self, source):
        for _ in range(64):
            try:
                frame = os.read(self.ports[source], 65536)
            except BlockingIOError:
                return
            self.places[frame[6:12]] = source
            known = self.places.get(frame[0:6])
            targets = [known] if known and not frame[0] & 1 else self.ports
            for target in targets:
                if target != source:
                    self.forward(source, target, frame)

    def forward(self, source, target, frame):
        rule = self.rule(source, target)
        if rule.get("down") or random.random() < rule.get("loss", 0):
            return
        due = time.monotonic() + rule.get("delay", 0) + random.uniform(0, rule.get("jitter", 0))
        self.number += 1
        heapq.heappush(self.waiting, (due, self.number, target, frame))

    def run(self):
        while True:
            now = time.monotonic()
            self.look_at_rules(now)
            self.deliver(now)
            patience = LOOK_AT_RULES_EVERY
            if self.waiting:
                patience = max(0, min(patience, self.waiting[0][0] - time.monotonic()))
            for key, _ in self.selector.select(patience):
                if key.data is None:
                    if not os.read(0, 1):
                        return
                else:
                    self.take(key.data)


if __name__ == "__main__":
    places = [argument.split("=") for argument in sys.argv[2:]]
    switch = Switch(sys.argv[1], {name: plug_in(name, address) for name, address in places})
    print("ready", flush=True)
    switch.run()
