"""What two clouds have answered to the same script, side by side; and the list of differences that are as they must be."""

import re
from datetime import datetime

IDS = re.compile(r"\b(ami|eni|i|lt|pb|r|snap|sg|subnet|vol|vpc)-[0-9a-f]{8,17}\b")
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
# Texts that are as good as any other.
FREE = {"NextToken": "<token>", "ClientToken": "<token>"}
ABSENT = "nothing"


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
    value = UUID.sub("<uuid>", TIME.sub("<time>", value))
    return IDS.sub(lambda match: f"<{match.group(1)}>", value)


def differences(here, there, path=""):
    """Paths at which two normal values differ, with both sides; places in lists are not told apart."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            inner = f"{path}.{key}" if path else key
            yield from differences(here.get(key, ABSENT), there.get(key, ABSENT), inner)
    elif isinstance(here, list) and isinstance(there, list):
        if len(here) != len(there):
            yield f"{path}.length", len(here), len(there)
        for one, other in zip(here, there):
            yield from differences(one, other, f"{path}[]")
    elif here != there:
        yield path, here, there


def simple(outcome):
    """An outcome as it is compared: answers whole, errors by code and status; messages are the clouds' own."""
    if "answer" in outcome:
        return outcome["answer"]
    return {"Error": {"Code": outcome["error"], "Status": outcome["status"]}}


class Written:
    """The written list of differences, and which of them have occurred."""

    def __init__(self, document):
        self.absent = set(document["absent"])
        self.entries = document["differences"]
        self.used, self.seen_absent = set(), set()

    def find(self, operation, path, here, there):
        """The number of the entry that covers a difference."""
        for number, entry in enumerate(self.entries):
            field = entry["field"]
            below = path.startswith((field + ".", field + "["))
            if entry["operation"] != operation or not (path == field or below):
                continue
            if all(key not in entry or entry[key] == side for key, side in (("here", here), ("moto", there))):
                return number
        return None

    def judge(self, place, operation, here, there):
        """What is not written down about two outcomes of one step."""
        if there["status"] >= 500 if "status" in there else False:
            self.seen_absent.add(operation)
            if operation in self.absent:
                return []
            return [f"{place}: moto fails: {there['message'][:200]}"]
        found = []
        for path, one, other in differences(simple(here), simple(there)):
            number = self.find(operation, path, one, other)
            if number is None:
                found.append(f"{place}: {path}: here {one!r}, moto {other!r}")
            else:
                self.used.add(number)
        return found

    def unused(self):
        """Entries that do not occur any more."""
        gone = [f"{name} is listed as absent in moto, but it answers" for name in sorted(self.absent - self.seen_absent)]
        for number, entry in enumerate(self.entries):
            if number not in self.used:
                gone.append(f"the listed difference {entry['operation']} {entry['field']} does not occur any more")
        return gone


def compare(scripts, local, moto, written):
    """Every difference between the outcomes of two worlds that is not written down."""
    found = []
    for script, here, there in zip(scripts, local["outcomes"], moto["outcomes"]):
        for number, step in enumerate(script["steps"]):
            one, other = here[number], there[number]
            if one is None or other is None:
                continue
            place = f"{script['file']}, step {number + 1} ({step['call']})"
            sides = [
                {**side, "answer": normal(side["answer"], world["names"])} if "answer" in side else side
                for side, world in ((one, local), (other, moto))
            ]
            found += written.judge(place, step["call"], *sides)
    return found + written.unused()
