"""Plays the scripts against the local cloud and against moto. Its orders come as JSON on standard input, its report goes
as JSON to standard output; `tests/strangers.rs` gives and judges them."""

import json
import sys
import time

import absent
import compare
import probe
import script
from world import Models, World


# The account in which meaningless requests are made: what they leave behind disturbs nobody.
PROBED = "999988887777"


def play(endpoint, orders, cloud):
    """All scripts in one world."""
    models = Models(orders["models"]) if cloud == "local" else None
    world = World(endpoint, orders["region"], models, orders["keys"])
    world.names.update(orders["names"])
    result = {"world": world, "outcomes": [], "broken": [], "names": world.names}
    for one in orders["scripts"]:
        if one.get("only", cloud) != cloud:
            result["outcomes"].append([None] * len(one["steps"]))
            continue
        outcomes, broken = script.play(world, one, cloud)
        result["outcomes"].append(outcomes)
        result["broken"] += broken
    return result


def unexercised(world, orders):
    """Operations of the local cloud that no step has seen succeed, or fail."""
    operations = set(orders["operations"])
    missing = [f"{name} never succeeds in the scripts" for name in sorted(operations - world.succeeded)]
    never_fail = set(orders["never_fail"])
    missing += [f"{name} never fails in the scripts" for name in sorted(operations - world.refused - never_fail)]
    return missing + [f"{name} fails, so it must not be listed" for name in sorted(never_fail & world.refused)]


def main():
    orders = json.load(sys.stdin)
    report, begun = {}, time.monotonic()
    local = play(orders["local"], orders, "local")
    report["scripts"] = local["broken"]
    report["coverage"] = unexercised(local["world"], orders)
    report["seconds_local"] = round(time.monotonic() - begun, 1)
    report["absent"] = absent.check(local["world"], orders["names"]["account"], set(orders["operations"]))
    report["probe"] = probe.check(local["world"], PROBED, set(orders["operations"]))
    # What is said about operations that are not there is checked against the models, too.
    report["models"] = list(local["world"].faults.values()) + local["world"].models.unused()
    report["seconds_absent"] = round(time.monotonic() - begun, 1)
    moto = play(orders["moto"], orders, "moto")
    written = compare.Written(orders["differences"])
    report["moto"] = compare.compare(orders["scripts"], local, moto, written)
    report["seconds"] = round(time.monotonic() - begun, 1)
    json.dump(report, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
