"""Real nodes on a network that can be broken: what `run` and `coordinator` share.

Each node has a network namespace of its own behind switch.py, and a small disk of its own, where
that is permitted; without that, loopback, and no network faults.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = Path(os.environ.get("AEGIS_PROGRAMS", ROOT / ".build" / "release"))
NAMES = ["north", "lakeside", "riverside", "hilltop", "harbour", "meadow", "forest"]


class Failure(Exception):
    pass


def say(text):
    print(text, flush=True)


def network_is_permitted():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        return False
    probe = f"aegis-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", probe], capture_output=True)
    return made


class Node:
    def __init__(self, mesh, name, index):
        self.mesh, self.name = mesh, name
        self.namespace = f"aegis{os.getpid()}-{index}"
        self.ip = f"198.18.0.{10 + index}" if mesh.has_network else "127.0.0.1"
        self.port = 7101 if mesh.has_network else 17101 + 2 * index
        self.disk = mesh.folder / "disks" / name
        self.directory = self.disk / "node"
        self.log = mesh.folder / f"{name}.log"
        self.clock = mesh.folder / f"{name}.clock"
        self.process = None
        self.is_frozen = False
        self.started = 0.0
        self.read = 0
        self.identity = ""

    @property
    def address(self):
        return f"{self.ip}:{self.port}"

    @property
    def monitor(self):
        return f"{self.ip}:{self.port + 1}"

    def command(self, *arguments):
        inside = ["ip", "netns", "exec", self.namespace] if self.mesh.has_network else []
        return [*inside, *map(str, arguments)]

    def make_disk(self):
        self.disk.mkdir(parents=True)
        if os.geteuid() == 0:
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(self.disk)],
                capture_output=True,
            )
            self.has_own_disk = done.returncode == 0
        else:
            self.has_own_disk = False

    def start(self):
        if not self.clock.exists():
            self.set_clock(0)
        environment = dict(os.environ) | {
            "LD_PRELOAD": str(self.mesh.skew),
            "AEGIS_SKEW_FILE": str(self.clock),
        }
        log = open(self.log, "ab")
        self.process = subprocess.Popen(
            self.command(
                PROGRAMS / "aegis-node", "run", "--dir", self.directory, "--log-level", "info"
            ),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        log.close()
        self.started = time.monotonic()
        self.is_frozen = False

    def set_clock(self, seconds):
        """So many seconds ahead, from now on; the file stays the one that the process has mapped."""
        with open(self.clock, "r+b" if self.clock.exists() else "wb", buffering=0) as clock:
            clock.write(seconds.to_bytes(8, sys.byteorder, signed=True))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def stop(self):
        if not self.is_running():
            return
        if self.is_frozen:
            self.thaw()
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def events(self):
        """New lines of its log, as objects."""
        if not self.log.exists():
            return []
        with open(self.log, "rb") as file:
            file.seek(self.read)
            content = file.read()
        whole = content.rfind(b"\n") + 1
        self.read += whole
        result = []
        for line in content[:whole].splitlines():
            try:
                result.append(json.loads(line))
            except ValueError:
                result.append({"msg": line.decode(errors="replace")})
        return result

    def height(self):
        """Of its last decision, from its metrics."""
        done = subprocess.run(
            self.command("curl", "-s", "-m", "2", f"http://{self.monitor}/metrics"),
            capture_output=True,
            text=True,
        )
        for line in done.stdout.splitlines():
            if line.startswith("aegis_height "):
                return int(float(line.split()[1]))
        return None

    def readiness(self):
        done = subprocess.run(
            self.command("curl", "-s", "-m", "2", f"http://{self.monitor}/readyz"),
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def usage(self):
        """Resident memory in MB and open descriptors."""
        pid = self.process.pid
        try:
            with open(f"/proc/{pid}/status") as file:
                lines = dict(line.split(":", 1) for line in file if ":" in line)
            memory = int(lines["VmRSS"].split()[0]) / 1024
            return memory, len(os.listdir(f"/proc/{pid}/fd"))
        except (OSError, KeyError):
            return None


class Mesh:
    def __init__(self, count, view_timeout=None):
        for program in ("aegis", "aegis-node", "aegis-admin"):
            if not os.access(PROGRAMS / program, os.X_OK):
                raise Failure(f"there is no {PROGRAMS / program}; make build")
        self.folder = Path(tempfile.mkdtemp(prefix="aegis-faults."))
        self.has_network = network_is_permitted()
        self.skew = self.folder / "skew.so"
        subprocess.run(
            ["clang", "-O1", "-shared", "-fPIC", ROOT / "simulations/skew.c", "-o", self.skew],
            check=True,
        )
        self.admin_namespace = f"aegis{os.getpid()}-admin"
        self.admin = None
        self.switch = None
        self.control = self.folder / "network.json"
        self.nodes = [Node(self, NAMES[index], index) for index in range(count)]
        self.view_timeout = view_timeout

    # Setting up and taking down.

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.take_down(keep=True)
            raise
        return self

    def __exit__(self, kind, *_):
        self.take_down(keep=kind is not None)

    def set_up(self):
        for node in self.nodes:
            node.make_disk()
        if self.has_network:
            self.plug_in()
        ip = "198.18.0.1" if self.has_network else "127.0.0.1"
        self.api, self.listen = f"{ip}:18443", f"{ip}:18444"
        options = ["--view-timeout-ms", self.view_timeout] if self.view_timeout else []
        self.check(
            PROGRAMS / "aegis-admin", "init", "--dir", self.folder / "admin", "--mesh", "faults",
            "--api", self.api, "--listen", self.listen, *options,
        )
        log = open(self.folder / "admin.log", "ab")
        self.admin = subprocess.Popen(
            self.as_admin(PROGRAMS / "aegis-admin", "run", "--dir", self.folder / "admin"),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )
        self.context = self.folder / "admin" / "credentials" / "context.json"
        self.wait("the admin", 30, lambda: self.aegis("mesh", "show", check=False) is not None)

    def plug_in(self):
        self.heal()
        places = []
        for name, ip in [(self.admin_namespace, "198.18.0.1")] + [
            (node.namespace, node.ip) for node in self.nodes
        ]:
            subprocess.run(["ip", "netns", "add", name], check=True)
            places.append(f"{name}={ip}/24")
        self.switch = subprocess.Popen(
            [sys.executable, HERE / "switch.py", self.control, *places],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        if self.switch.stdout.readline().strip() != "ready":
            raise Failure("the switch did not start")

    def take_down(self, keep):
        for node in self.nodes:
            node.stop()
        if self.admin:
            self.admin.terminate()
            self.admin.wait(20)
        if self.switch:
            self.switch.stdin.close()
            self.switch.wait(10)
        if self.has_network:
            for name in [self.admin_namespace] + [node.namespace for node in self.nodes]:
                subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        if keep:
            for node in self.nodes:
                kept = self.folder / "kept" / node.name
                if node.directory.exists():
                    shutil.copytree(node.directory, kept, dirs_exist_ok=True)
            say(f"everything is kept in {self.folder}")
        for node in self.nodes:
            if getattr(node, "has_own_disk", False):
                subprocess.run(["umount", str(node.disk)], capture_output=True)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def as_admin(self, *arguments):
        inside = ["ip", "netns", "exec", self.admin_namespace] if self.has_network else []
        return [*inside, *map(str, arguments)]

    def check(self, *arguments):
        done = subprocess.run(self.as_admin(*arguments), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{arguments[0]} {arguments[1]}: {done.stderr}{done.stdout}")
        return done.stdout

    def aegis(self, *arguments, check=True):
        done = subprocess.run(
            self.as_admin(
                PROGRAMS / "aegis", *arguments, "--output", "json", "--context", self.context
            ),
            capture_output=True, text=True,
        )
        if done.returncode != 0:
            if check:
                raise Failure(f"aegis {arguments[0]} {arguments[1]}: {done.stderr}")
            return None
        return json.loads(done.stdout)

    def found(self, dataset=None):
        for index, node in enumerate(self.nodes):
            token = self.aegis("token", "create", "--name", node.name)["token"]
            self.join(node, token)
            if dataset:
                subprocess.run(
                    node.command(
                        PROGRAMS / "aegis-node", "dataset", "add", "--dir", node.directory,
                        dataset.name, "--source", dataset, "--slice", f"{index}/60",
                        "--partition", "iid", "--seed", 1, "--budget-epsilon", 1000,
                        "--budget-delta", "1e-5",
                    ),
                    check=True, capture_output=True,
                )
            node.start()
        self.aegis("mesh", "found", "--timeout", "60")
        for item in self.aegis("node", "list")["items"]:
            node = next(node for node in self.nodes if node.name == item["name"])
            node.identity = item["node"]

    def join(self, node, token):
        done = subprocess.run(
            node.command(
                PROGRAMS / "aegis-node", "join", "--token", token, "--admin", self.listen,
                "--dir", node.directory, "--listen", node.address, "--monitor", node.monitor,
            ),
            capture_output=True, text=True,
        )
        if done.returncode != 0:
            raise Failure(f"{node.name} did not join: {done.stderr}")

    def submit(self, text):
        path = self.folder / "run.yaml"
        path.write_text(text)
        self.aegis("run", "submit", path)

    # The network.

    def shape(self, rules):
        fresh = self.control.with_suffix(".new")
        fresh.write_text(json.dumps(rules))
        fresh.rename(self.control)

    def heal(self):
        self.shape({})

    def separate(self, group):
        """Cuts these nodes off from all others, the admin too."""
        inside = {node.namespace for node in group}
        outside = {node.namespace for node in self.nodes} | {self.admin_namespace}
        outside -= inside
        rules = {}
        for one in inside:
            for other in outside:
                rules[f"{one}>{other}"] = rules[f"{other}>{one}"] = {"down": True}
        self.shape(rules)

    # Waiting.

    @staticmethod
    def wait(what, seconds, condition, every=0.2):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"not within {seconds} s: {what}")
            time.sleep(every)

    def top(self):
        return max((node.height() or 0) for node in self.nodes)
