"""Plays scripts: lists of steps that know nothing of who answers.

A step has
  call     service and operation, `ssm.PutParameter`
  with     its parameters; `${name}` stands for what an earlier step has kept
  by       the account that asks; else the script's
  region   another Region than the world's
  unchecked  parameters that botocore itself would refuse are sent all the same
  only     `local` or `moto`: the other cloud does not play this step
  error    the code that the answer must have; without it the call must succeed
  expect   what must hold of the answer: JMESPath expressions and their values
  until    the same, but asked again until it holds
  again    the call is made twice, and the answers must be the same
  pages    page size and the expression of the rows: the pages together must be the whole list
  save     what to keep of the answer: names and JMESPath expressions
"""

import json
import re
import time

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError

REFERENCE = re.compile(r"\$\{([\w-]+)\}")
# Seconds until something that is awaited must have happened; reached only when it never happens. The other cloud does
# at once what it does at all.
PATIENCE, SHORT_PATIENCE = 120, 0.5
PAUSE = 0.05


class Broken(Exception):
    """A step did not go as it must."""


class Unknown(Exception):
    """A name that no step has kept."""


def filled(value, names):
    """A value with its references replaced."""
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    if not isinstance(value, str):
        return value
    for name in REFERENCE.findall(value):
        if name not in names:
            raise Unknown(name)
    whole = REFERENCE.fullmatch(value)
    if whole:
        return names[whole.group(1)]
    return REFERENCE.sub(lambda match: str(names[match.group(1)]), value)


def send(world, script, step, parameters):
    """One call: `{"answer": …}`, or `{"error": code, "status": …}`."""
    service, operation = step["call"].split(".")
    account = filled(step.get("by", script["account"]), world.names)
    client = world.client(service, account, step.get("region"), step.get("unchecked", False))
    try:
        answer = getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        said = error.response["Error"]
        return {"error": said["Code"], "status": status, "message": said.get("Message", "")}
    except (ResponseParserError, HTTPClientError) as error:
        return {"error": "unreadable", "status": 500, "message": str(error)}
    except ParamValidationError as error:
        raise Broken(f"botocore refuses the parameters: {error}") from error
    answer.pop("ResponseMetadata", None)
    answer.pop("requestId", None)
    return {"answer": answer}


def wrong(wanted, answer, names):
    """The first expectation that does not hold, in words."""
    for expression, value in (wanted or {}).items():
        expression, value = filled(expression, names), filled(value, names)
        found = jmespath.search(expression, answer)
        if found != value:
            return f"`{expression}` is {found!r}, not {value!r}"
    return None


def paged(world, script, step, parameters):
    """The rows of all pages of that size."""
    token_name = "nextToken" if step["call"].startswith(("imagebuilder.", "inspector2.")) else "NextToken"
    size_name = "maxResults" if token_name == "nextToken" else "MaxResults"
    if step["call"].startswith("autoscaling."):
        size_name = "MaxRecords"
    rows, token, size = [], None, step["pages"]["size"]
    while True:
        more = {size_name: size, **({token_name: token} if token else {})}
        outcome = send(world, script, step, {**parameters, **more})
        if "answer" not in outcome:
            raise Broken(f"a page is refused: {outcome}")
        page = jmespath.search(step["pages"]["rows"], outcome["answer"]) or []
        if len(page) > size:
            raise Broken(f"a page of {size} has {len(page)} rows")
        rows += page
        token = outcome["answer"].get(token_name)
        if not token:
            return rows
        if not page:
            raise Broken("an empty page that is not the last one")


def perform(world, script, step):
    """Plays a step and judges it."""
    parameters = filled(step.get("with", {}), world.names)
    outcome = send(world, script, step, parameters)
    deadline = time.monotonic() + (PATIENCE if world.strict else SHORT_PATIENCE)
    while "until" in step and "answer" in outcome and wrong(step["until"], outcome["answer"], world.names):
        if time.monotonic() > deadline and not world.strict:
            break
        if time.monotonic() > deadline:
            raise Broken(f"never came true: {wrong(step['until'], outcome['answer'], world.names)}")
        time.sleep(PAUSE)
        outcome = send(world, script, step, parameters)
    return outcome, parameters


def judge(world, script, step, outcome, parameters):
    """What must hold of an outcome."""
    if "error" in step:
        if outcome.get("error") != step["error"]:
            raise Broken(f"expected {step['error']}, got {outcome}")
        return
    if "answer" not in outcome:
        raise Broken(f"refused: {outcome}")
    answer = outcome["answer"]
    problem = wrong(step.get("expect"), answer, world.names)
    if problem:
        raise Broken(f"{problem}\n    in {json.dumps(answer, default=str)}")
    if step.get("again"):
        second = send(world, script, step, parameters)
        if second.get("answer") != answer:
            raise Broken(f"the second answer is another one: {second}, not {answer}")
    if "pages" in step:
        whole = jmespath.search(step["pages"]["rows"], answer)
        rows = paged(world, script, step, parameters)
        if rows != whole:
            raise Broken(f"the pages together are not the list: {rows} instead of {whole}")


def keep(world, step, outcome):
    """Keeps what later steps refer to."""
    for name, expression in step.get("save", {}).items():
        value = jmespath.search(expression, outcome.get("answer", {}))
        if value is not None:
            world.names[name] = value


def play(world, script, cloud):
    """Plays a script to its end; the outcome of each step, and what went wrong.

    Only the local cloud is judged. The other one is only listened to: what it does not know is passed over.
    """
    outcomes, broken = [], []
    for number, step in enumerate(script["steps"], 1):
        world.place = f"{script['file']}, step {number} ({step['call']})"
        outcomes.append(None)
        if step.get("only", cloud) != cloud:
            continue
        try:
            outcome, parameters = perform(world, script, step)
            outcomes[-1] = outcome
            if world.strict:
                judge(world, script, step, outcome, parameters)
            keep(world, step, outcome)
        except Unknown as name:
            if world.strict:
                broken.append(f"{world.place}: nothing is known of ${{{name}}}")
        except Broken as problem:
            if world.strict:
                broken.append(f"{world.place}: {problem}")
    return outcomes, broken
