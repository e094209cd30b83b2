"""Requests made from the models alone: what an operation answers to too little, and to values of the right shape that mean
nothing. Whatever it is, the models must allow it, and the service must not break off."""

from botocore.exceptions import ClientError

# Members that botocore sends as they are and that cut a request short: the length of a body that has another one.
LEFT_OUT = {"ContentLength"}
# S3's NotImplemented is no failure.
NOT_IMPLEMENTED = 501
# Levels of structures within each other; deeper ones are left out.
DEPTH = 4


def value(shape, depth=DEPTH):
    """Something of that shape, as small as it can be."""
    kind = shape.type_name
    if kind == "structure":
        return {name: value(member, depth - 1) for name, member in shape.members.items()} if depth else {}
    if kind == "list":
        return [value(shape.member, depth - 1)] if depth else []
    if kind == "map":
        return {value(shape.key, depth - 1): value(shape.value, depth - 1)} if depth else {}
    if kind == "string":
        return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 0))
    if kind == "boolean":
        return False
    if kind == "blob":
        return b"x"
    if kind == "timestamp":
        return "2026-01-02T03:04:05Z"
    return max(1, shape.metadata.get("min", 1))


def requests(shape):
    """Nothing, each member by itself, everything, and everything but one."""
    yield {}
    whole = {name: inner for name, inner in value(shape).items() if name not in LEFT_OUT}
    for name in whole:
        yield {name: whole[name]}
    yield whole
    for name in whole:
        yield {other: inner for other, inner in whole.items() if other != name}


def check(world, account, operations):
    """Sends the requests to every operation; what broke off. What the models do not allow is found on the way."""
    broken = []
    for name in sorted(operations):
        service, operation = name.split(".")
        client = world.client(service, account, unchecked=True)
        shape = client.meta.service_model.operation_model(operation).input_shape
        for number, parameters in enumerate(requests(shape) if shape else [{}], 1):
            world.place = f"probe {number} of {name}"
            try:
                client._make_api_call(operation, parameters)
            except ClientError as error:
                status = error.response["ResponseMetadata"].get("HTTPStatusCode", 500)
                if status >= 500 and status != NOT_IMPLEMENTED:
                    broken.append(f"{world.place}: {error}\n    {parameters}")
            except (KeyError, TypeError, ValueError):
                # botocore itself cannot make a request of it, mostly because the path needs a value.
                continue
    return broken
