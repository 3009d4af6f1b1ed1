# SPDX-License-Identifier: Apache-2.0
"""`holdspace loadtest` as an operator meets it: what it refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import IO

import psutil
import pytest

from loadtest.cli import is_loopback, loadtest_app
from loadtest.plan.library import BUILT_IN
from loadtest.serving import free_port
from tests.loadtest.terminal import AS_A_TERMINAL

HOLDSPACE = Path(sys.executable).with_name("holdspace")
SECRET = "s" * 40
KEY = ("--api-secret", SECRET)
TINY = """
name = "tiny"
about = "One room of three, everything once."
duration_s = 5
require = ["errors count==0", "join_ms count>=4", "split_ms count>=1", "merge_ms count>=1", "packets count>50"]
[[rooms]]
people = 3
probes_per_s = 4
[executor]
kind = "constant"
per_second = 5
[[steps]]
do = "split"
at_s = 2.2
of = 1
[[steps]]
do = "merge"
at_s = 3.2
[[steps]]
do = "drop"
at_s = 4.2
share = 0.3
"""


def loadtest(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([HOLDSPACE, "loadtest", *words], capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8080", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:80", True),
        ("https://sessions.example.org", False),
        ("http://192.168.1.5:8080", False),
        ("http://localhost.example.org", False),
    ],
)
def test_only_loopback_is_this_machine(url: str, own: bool) -> None:
    """A name that only looks like it is somebody else's."""
    assert is_loopback(url) is own


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("run", "smoak"), "there is no scenario smoak"),
        (("run", "smoke", "--require", "mvoe_ms p95<3"), "did you mean move_ms?"),
        (("run", "smoke", "--url", "https://example.org", *KEY), "--i-own-this-target"),
        (("run", "smoke", "--url", "example.org", *KEY), "is not an address"),
        (("run", "smoke", "--url", "http://localhost:1", "--data-dir", "nowhere"), "needs the secret"),
        (("run", "failover", "--url", "http://localhost:1", *KEY), "it cannot have a --url"),
        (("run", "smoke", "--network", "6g"), "network.profile must be one of"),
        (("run", "smoke", "--baseline", "nowhere.json"), "No such file"),
        (("run", "smoke", "--fail-if-worse"), "worse than what?"),
        (("run", "smoke", "--metrics-url", "http://localhost:1/metrics"), "belongs to a --url"),
        (("run", "smoke", "--url", "http://localhost:1", "--metrics-url", "nonsense", *KEY), "is not an address"),
        (("scenario", "show", "smoak"), "there is no scenario smoak"),
    ],
    ids=[
        "scenario",
        "metric",
        "owner",
        "address",
        "secret",
        "nodes",
        "network",
        "baseline",
        "worse",
        "alone",
        "metrics",
        "show",
    ],
)
def test_wrong_use_is_refused_before_anything_runs(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and words that help."""
    with pytest.raises(SystemExit) as end:
        loadtest_app(words)
    assert end.value.code == 2
    assert complaint in " ".join(capsys.readouterr().err.split())


def test_scenarios_can_be_read_and_copied(capsys: pytest.CaptureFixture[str]) -> None:
    """`scenario show` prints TOML, `scenario list` names them."""
    loadtest_app(("scenario", "show", "splitstorm"), result_action="return_value")
    assert tomllib.loads(capsys.readouterr().out)["name"] == "splitstorm"
    loadtest_app(("scenario", "list"), result_action="return_value")
    assert len(capsys.readouterr().out.splitlines()) == len(BUILT_IN)


def test_nobody_there_is_status_3(tmp_path: Path) -> None:
    """The report is written all the same, and says so."""
    out = tmp_path / "out.json"
    url = f"http://127.0.0.1:{free_port()}"
    gone = loadtest("run", "smoke", "--url", url, "--api-secret", SECRET, "--quiet", "--json", str(out))
    assert gone.returncode == 3, gone.stderr
    assert gone.stdout == f"unreachable: cannot connect to {url}: connection refused\n"
    assert json.loads(out.read_text())["outcome"] == "unreachable"
    assert SECRET not in out.read_text()


def test_a_whole_test_against_a_server_of_its_own(tmp_path: Path) -> None:
    """People join, are split and merged, lose the connection and come back; all outputs are written; it passes."""
    scenario, out = tmp_path / "tiny.toml", tmp_path / "run"
    scenario.write_text(TINY)
    files = {kind: f"{out}.{kind}" for kind in ("json", "csv", "junit")}
    ended = loadtest("run", str(scenario), "--plain", *(f"--{kind}={path}" for kind, path in files.items()))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Join as moderator: http://127.0.0.1:" in ended.stderr
    run = json.loads(Path(files["json"]).read_text())
    assert run["outcome"] == "passed"
    assert run["errors"] == {}
    assert {"signal_ms", "fanout_ms", "move_ms", "resume_ms", "connect_ms", "generator_cpu_percent"} <= run[
        "metrics"
    ].keys()
    assert run["metrics"]["move_ms"]["count"] == 6
    assert run["metrics"]["server_cpu_percent"]["maximum"] > 0
    assert max(people for _, people in run["present"]) == 4
    assert {moment["text"] for moment in run["moments"]} == {"split", "merge", "drop"}
    assert all(Path(path).stat().st_size for path in files.values())
    token = ended.stderr.partition("Join as moderator: ")[2].partition("#")[2][:60]
    assert token.startswith("eyJ")
    assert [kind for kind, path in files.items() if token in Path(path).read_text()] == []


@pytest.mark.slow
def test_a_bound_that_cannot_be_kept_is_status_1(tmp_path: Path) -> None:
    """And says which one it was."""
    scenario = tmp_path / "tiny.toml"
    scenario.write_text(TINY)
    strict = loadtest("run", str(scenario), "--plain", "--require", "join_ms p50<0.001")
    assert strict.returncode == 1, strict.stderr
    assert "NOT MET  join_ms p50<0.001" in strict.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["int", "term", "hup"])
@pytest.mark.parametrize("stage", ["starting", "running"])
def test_a_test_that_is_stopped_leaves_its_report_and_nothing_else(
    number: signal.Signals, stage: str, tmp_path: Path
) -> None:
    """Ctrl-C, the end of a service, and a terminal that goes away: status 1, JSON written, no process left."""
    out = tmp_path / "out.json"
    options = ("--duration", "60", "--plain", "--json", str(out))
    command = [*AS_A_TERMINAL, str(HOLDSPACE), "loadtest", "run", "smoke", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        us = psutil.Process(process.pid)
        if stage == "running":
            "".join(iter(partial(_line_before, process.stderr, "running:"), ""))
        else:
            while not us.children():
                time.sleep(0.05)
        children = us.children(recursive=True)
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == 1
    run = json.loads(out.read_text())
    assert (run["outcome"], run["reason"]) == ("stopped", "it was stopped before its end")
    assert psutil.wait_procs(children, timeout=5)[1] == []


@pytest.mark.slow
def test_a_server_that_dies_under_the_test_is_status_3() -> None:
    """Nobody waits for the end of the scenario; the report names the node and how it ended."""
    command = [str(HOLDSPACE), "loadtest", "run", "smoke", "--duration", "60", "--plain"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        before = "".join(iter(partial(_line_before, process.stderr, "running:"), ""))
        # The server is a child of the command.
        servers = [child for child in psutil.Process(process.pid).children() if "serve" in child.cmdline()]
        assert len(servers) == 1, before
        servers[0].kill()
        after = process.stderr.read()
    assert process.returncode == 3, after
    assert "the target went away" in after
    assert "ended by itself with status -9" in after


def _line_before(stream: IO[str], word: str) -> str:
    """The next line, unless it has the word or is the last."""
    line = stream.readline()
    return "" if word in line else line


@pytest.mark.slow
def test_a_node_that_is_killed_by_the_scenario_takes_nobody_with_it(tmp_path: Path) -> None:
    """Two nodes on one Redis: everybody of the killed one comes back at the other."""
    scenario, out = tmp_path / "two.toml", tmp_path / "two.json"
    text = (
        'name = "two"\nabout = "Two nodes, one is killed."\nduration_s = 25\nnodes = 2\n'
        'require = ["errors count==0", "resume_ms count>=1", "faults count==1"]\n'
        '[[rooms]]\npeople = 3\ncount = 2\n[[steps]]\ndo = "kill-node"\nat_s = 8\nnode = 1\n'
    )
    scenario.write_text(text)
    ended = loadtest("run", str(scenario), "--quiet", "--json", str(out))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    run = json.loads(out.read_text())
    assert [node["unanswered"] > 5 for node in run["nodes"]] == [False, True]
