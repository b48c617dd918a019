"""Envoy under load while the policy changes every second: nothing forbidden passes, nothing fails, memory stays flat.

    envoy_load.py [SECONDS]       60 unless told

Clients keep their connections, check every answer, and count. What reached the server is compared with what they were
allowed. Memory is Envoy's resident set: the mean of the last fifth of the time must not be above that of the second
fifth by more than `GROWTH`; in the first, caches fill.
"""

import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import time

import stage
from stage import AGENT, JSON, decided, tools_call

CLIENTS = 4
GROWTH = 1.10
POLICIES = pathlib.Path(__file__).parent / "policies"
SEARCH, DROP = tools_call("crm.search", {"query": "load"}), tools_call("admin.drop_database", {"name": "crm"})
TWICE = SEARCH.replace(b'"name": "crm.search"', b'"name": "crm.search", "name": "admin.drop_database"')


def client(number, port, end, results):
    """Until the end: allowed or denied by the policy of the moment, always denied, and always malformed."""
    counts, times, problem = {"allow": 0, "deny": 0, "forbidden": 0, "malformed": 0}, [], None
    headers = {**JSON, **AGENT, "x-agent": f"load-{number}"}
    turn = 0
    connection = stage.Connection(port)
    try:
        while time.time() < end:
            turn += 1
            body = TWICE if turn % 50 == 0 else DROP if turn % 5 == 0 else SEARCH
            begun = time.perf_counter()
            found, reply = decided(connection.ask("POST", "/mcp", headers, body))
            times.append(time.perf_counter() - begun)
            verdict = found.get("verdict")
            if body is TWICE:
                assert reply.status == 400 and not verdict, reply
                counts["malformed"] += 1
                connection.__exit__()
                connection = stage.Connection(port)
            elif body is DROP:
                assert verdict == "deny", f"a forbidden call was answered {reply}"
                counts["forbidden"] += 1
            else:
                assert verdict in ("allow", "deny"), f"a call was answered {reply}"
                assert reply.headers.get("connection") != "close", "the connection is to be closed"
                counts[verdict] += 1
    except Exception as error:  # noqa: BLE001: whatever happens to a client is a failure
        problem = f"client {number}: {type(error).__name__} {error}"
    times.sort()
    results.put((counts, times[:: max(1, len(times) // 2000)], problem))


def configurations(folder):
    """What `placet.yaml` becomes, one after the other: policies that allow the search, and that do not."""
    template = (stage.EXAMPLE / "placet.yaml.in").read_text()
    names = ["open", "closed", "limit-again", "closed"]
    return [stage.put(template, {"@BUNDLE@": stage.bundle(POLICIES / name, folder, name)}) for name in names]


def replace(folder, text):
    new = folder / "placet.yaml.new"
    new.write_text(text)
    new.rename(folder / "placet.yaml")


def load(folder, port, envoy, seconds, texts):
    """Runs the clients; what they counted, and Envoy's memory every second."""
    results, end = multiprocessing.Queue(), time.time() + seconds
    clients = [multiprocessing.Process(target=client, args=(n, port, end, results)) for n in range(CLIENTS)]
    [one.start() for one in clients]
    memory, reloads = [], 0
    while time.time() < end - 1:
        time.sleep(1)
        reloads += 1
        replace(folder, texts[reloads % len(texts)])
        memory.append(envoy.rss())
        assert envoy.process.poll() is None, f"Envoy ended with {envoy.process.returncode}"
    found = [results.get(timeout=30) for _ in clients]
    [one.join() for one in clients]
    return found, memory, reloads


def in_force(envoy):
    return sum(value for name, value in envoy.stats("extension_config").items() if name.endswith("config_reload"))


def check_load(folder, seconds):
    texts = configurations(folder)
    stage.policy(folder, POLICIES / "open")
    if stage.OTHER_MODULE:
        (folder / stage.MODULE).parent.mkdir(exist_ok=True)
        (folder / stage.MODULE).write_bytes(pathlib.Path(stage.OTHER_MODULE).read_bytes())
    replace(folder, texts[0])
    with stage.mcp_server(folder) as mcp:
        ports = {"gateway": stage.free_port(), "admin": stage.free_port(), "mcp": mcp}
        config = stage.configuration("envoy-reload.yaml", ports)
        with stage.envoy(config, folder, ports["admin"], name="load") as envoy:
            found, memory, reloads = load(folder, ports["gateway"], envoy, seconds, texts)
            taken_up = in_force(envoy)
    counts = {key: sum(one[key] for one, _, _ in found) for key in found[0][0]}
    times = sorted(each for _, times, _ in found for each in times)
    total = sum(counts.values())
    print(f"  {total} requests in {seconds} s ({total / seconds:.0f}/s) on {CLIENTS} connections: {counts}")
    print(f"  p50 {times[len(times) // 2] * 1e3:.2f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.2f} ms, as these clients see it")
    print(f"  {reloads} reloads, {taken_up} taken up; memory from {memory[0]} to {memory[-1]} KiB, at most {max(memory)}")
    problems = [problem for _, _, problem in found if problem]
    assert not problems, problems
    assert counts["allow"] and counts["deny"] and counts["forbidden"] and counts["malformed"], counts
    assert taken_up >= reloads * 0.9, f"of {reloads} reloads, {taken_up} were taken up"
    check_server(folder, counts)
    check_memory(memory)
    return f"{total} requests, {reloads} reloads"


def check_server(folder, counts):
    """What reached the server are the calls that were allowed, no more and no fewer."""
    reached = [json.loads(line) for line in (folder / "mcp.jsonl").read_text().splitlines()]
    other = [one for one in reached if one != {"tool": "crm.search", "args": {"query": "load"}}]
    assert not other, f"the server got {other[:3]}"
    assert len(reached) == counts["allow"], f"{len(reached)} calls reached the server, {counts['allow']} were allowed"


def check_memory(memory):
    fifth = len(memory) // 5
    if fifth < 2:
        print("  too short to say anything about memory")
        return
    before, after = statistics.mean(memory[fifth : 2 * fifth]), statistics.mean(memory[-fifth:])
    print(f"  memory {before:.0f} KiB in the second fifth, {after:.0f} KiB in the last: {after / before - 1:+.1%}")
    assert after <= before * GROWTH, f"memory grew from {before:.0f} to {after:.0f} KiB: {memory}"


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("PLACET_LOAD_SECONDS", "60"))
    check = stage.Checks()
    with stage.scratch() as folder:
        check(f"load/{seconds}-seconds", check_load, folder, seconds)
    check.close()


if __name__ == "__main__":
    main()
