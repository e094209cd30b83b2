"""What two clouds have answered to the same script, side by side; and the list of differences that are as they must be."""

import re
from datetime import datetime

IDS = re.compile(r"\b(ami|eni|i|lt|pb|r|snap|sg|subnet|vol|vpc)-[0-9a-f]{8,17}\b")
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
ADDRESS = re.compile(r"\b\d{1,3}([.-])\d{1,3}\1\d{1,3}\1\d{1,3}\b")
# Texts that are as good as any other.
FREE = {"NextToken": "<token>", "ClientToken": "<token>"}
# Members that tell the items of a list apart. Lists are compared by them and not by places: no order is promised for most,
# and where one is, the expectations of the scripts have it.
IDENTITIES = (
    "VersionNumber Version Name Key RegionName ImageId InstanceId LaunchTemplateId BaselineId ResourceId PatchGroup"
).split()
NOTHING = "nothing"
SUCCESS = "success"
# moto breaks off, mostly because of a parameter that it does not know.
FAILURE = "failure"


def normal(value, names):
    """A value without what differs from run to run: kept values by their names, ids and times by their kinds."""
    if isinstance(value, dict):
        return {
            key: FREE[key] if key in FREE and inner else normal(inner, names)
            for key, inner in value.items()
            if inner not in (None, [], {}, "")
        }
    if isinstance(value, list):
        return [normal(inner, names) for inner in value]
    if isinstance(value, datetime):
        return "<time>"
    if not isinstance(value, str):
        return value
    for name, kept in names.items():
        if isinstance(kept, str) and len(kept) > 8:
            value = value.replace(kept, f"<{name}>")
    value = ADDRESS.sub("<address>", UUID.sub("<uuid>", TIME.sub("<time>", value)))
    return IDS.sub(lambda match: f"<{match.group(1)}>", value)


def by_identity(here, there):
    """Two lists as maps, if their items can be told apart by one of their members."""
    for name in IDENTITIES:
        sides = [
            {str(item[name]): item for item in side} if all(isinstance(i, dict) and name in i for i in side) else None
            for side in (here, there)
        ]
        if None not in sides and [len(side) for side in sides] == [len(here), len(there)]:
            return sides
    return None


def differences(here, there, path=""):
    """Paths at which two normal values differ, with both sides; places in lists are not told apart."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            inner = f"{path}.{key}" if path else key
            yield from differences(here.get(key, NOTHING), there.get(key, NOTHING), inner)
    elif isinstance(here, list) and isinstance(there, list):
        sides = by_identity(here, there)
        if sides:
            for key in sorted(sides[0].keys() | sides[1].keys()):
                yield from differences(sides[0].get(key, NOTHING), sides[1].get(key, NOTHING), f"{path}[]")
            return
        if len(here) != len(there):
            yield f"{path}.length", len(here), len(there)
        for one, other in zip(here, there):
            yield from differences(one, other, f"{path}[]")
    elif here != there:
        yield path, here, there


class Written:
    """The written list of differences, and which of them have occurred."""

    def __init__(self, document):
        self.absent = set(document["absent"])
        self.outcomes, self.fields = set(), set()
        for entry in document["differences"]:
            operation = entry["operation"]
            if "outcome" in entry:
                self.outcomes.add((operation, entry["outcome"]["here"], entry["outcome"]["moto"]))
            self.fields.update((operation, field) for field in entry.get("fields", []))
        self.used = set()

    def field(self, operation, path):
        """The written field that a path is, or is below of."""
        parts = re.split(r"(?=\.|\[)", path)
        for end in range(len(parts), 0, -1):
            if (operation, "".join(parts[:end])) in self.fields:
                return operation, "".join(parts[:end])
        return None

    def judge(self, place, operation, here, there):
        """What is not written down about two outcomes of one step."""
        failed = there.get("status", 0) >= 500
        if failed and operation in self.absent:
            self.used.add(operation)
            return []
        ends = operation, here.get("error", SUCCESS), FAILURE if failed else there.get("error", SUCCESS)
        if ends[1] != ends[2]:
            self.used.add(ends)
            return [] if ends in self.outcomes else [f"{place}: here {ends[1]}, moto {ends[2]}"]
        if "error" in here:
            # Codes are the same; EC2 and Systems Manager have one status for all errors of the caller but a few.
            same = here["status"] == there["status"]
            return [] if same else self.listed(place, operation, [("status", here["status"], there["status"])])
        return self.listed(place, operation, differences(here["answer"], there["answer"]))

    def listed(self, place, operation, found):
        """Those of the differences that are not written down."""
        left = []
        for path, one, other in found:
            field = self.field(operation, path)
            if field:
                self.used.add(field)
            else:
                left.append(f"{place}: {path}: here {one!r}, moto {other!r}")
        return left

    def unused(self):
        """Entries that do not occur any more."""
        gone = sorted(self.absent - self.used)
        gone += sorted(" ".join(entry) for entry in (self.outcomes | self.fields) - self.used)
        return [f"differences.yaml: {entry} does not occur any more" for entry in gone]


def compare(scripts, local, moto, written):
    """Every difference between the outcomes of two worlds that is not written down."""
    found = []
    for script, here, there in zip(scripts, local["outcomes"], moto["outcomes"]):
        for number, step in enumerate(script["steps"]):
            sides = [
                {**side, "answer": normal(side["answer"], world["names"])} if side and "answer" in side else side
                for side, world in ((here[number], local), (there[number], moto))
            ]
            if None not in sides:
                place = f"{script['file']}, step {number + 1} ({step['call']})"
                found += written.judge(place, step["call"], *sides)
    return found + written.unused()
