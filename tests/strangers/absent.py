"""Operations that the local cloud does not have: boto3 must show each as a ClientError that says so."""

from botocore.exceptions import ClientError

# S3 is left out: botocore makes no request of it without the names that stand in its paths.
CODES = {
    "autoscaling": "InvalidAction",
    "ec2": "InvalidAction",
    "imagebuilder": "UnknownOperationException",
    "inspector2": "UnknownOperationException",
    "kms": "UnknownOperationException",
    "ssm": "UnknownOperationException",
    "sts": "InvalidAction",
}
# What botocore itself needs to make a request of it; else no parameters are sent.
ARN = {"resourceArn": "arn:aws:inspector2:us-east-1:000000000000:owner/000000000000/filter/0123456789abcdef"}
NEEDED = {
    "ec2.CopySnapshot": {"SourceRegion": "eu-west-1"},
    "inspector2.ListTagsForResource": ARN,
    "inspector2.TagResource": ARN | {"tags": {"a": "b"}},
    "inspector2.UntagResource": ARN | {"tagKeys": ["a"]},
}
SAID = "not in the local environment"


def check(world, account, operations):
    """Calls every operation of botocore's models that is not in `operations`; what is wrong with the answers."""
    wrong = []
    for service, code in CODES.items():
        client = world.client(service, account, unchecked=True)
        for operation in client.meta.service_model.operation_names:
            name = f"{service}.{operation}"
            # The token for unsigned calls of STS: such requests say nothing of who asks.
            if name in operations or client.meta.service_model.operation_model(operation).auth_type == "none":
                continue
            world.place = "what is not there"
            try:
                client._make_api_call(operation, dict(NEEDED.get(name, {})))
                wrong.append(f"{name} is not in the list of operations, but it answers")
            except ClientError as error:
                if error.response["Error"]["Code"] != code or SAID not in error.response["Error"]["Message"]:
                    wrong.append(f"{name}: {error}")
            except Exception as error:  # noqa: BLE001, whatever botocore makes of it is wrong
                wrong.append(f"{name}: {type(error).__name__}: {error}")
    return wrong + whole_service(world)


def whole_service(world):
    """A service of which nothing is there."""
    try:
        world.new("dynamodb", None, world.region, False, world.own_keys).list_tables()
        return ["DynamoDB answers"]
    except ClientError as error:
        return [] if SAID in error.response["Error"]["Message"] else [f"dynamodb: {error}"]
