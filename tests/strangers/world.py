"""One cloud and what is known of it: clients of every account and Region, and every raw answer on its way to botocore."""

import boto3
from botocore.config import Config

import answers

ROLE = "arn:aws:iam::{}:role/stranger"


class Models:
    """The written list of what AWS does otherwise than its models say, and which of it has occurred."""

    def __init__(self, entries):
        self.entries, self.used = entries, set()

    def allow(self, operation, where):
        """Whether an entry covers a fault."""
        for number, entry in enumerate(self.entries):
            place = f"error {entry['error']}" if "error" in entry else entry["field"]
            whole = entry["operation"].removesuffix("*")
            fits = operation.startswith(whole) if entry["operation"].endswith("*") else operation == whole
            if fits and place == where:
                self.used.add(number)
                return True
        return False

    def unused(self):
        """Entries that have not occurred."""
        rest = [entry for number, entry in enumerate(self.entries) if number not in self.used]
        left = [entry for entry in rest if not entry.get("sometimes")]
        return [f"models.yaml: {entry['operation']} {entry.get('error') or entry['field']} does not occur" for entry in left]


class World:
    """The clients of one endpoint. With `models`, what botocore's models do not allow is kept in `faults`."""

    def __init__(self, endpoint, region, models, keys):
        self.endpoint, self.region = endpoint, region
        # Access key id and secret with which roles are assumed.
        self.own_keys = (*keys, None)
        # What AWS does otherwise than its models say; without it answers are not judged.
        self.models, self.strict = models, models is not None
        # What steps have kept, by name; and who asks when a step does not say it.
        self.names, self.clients, self.keys = {}, {}, {}
        self.faults, self.succeeded, self.refused = {}, set(), set()
        # Where in the scripts the call was made, for messages.
        self.place = ""

    def client(self, service, account, region=None, unchecked=False):
        """A client that acts as `account`: with the credentials of a role there, as a stranger would."""
        key = (service, account, region or self.region, unchecked)
        if key not in self.clients:
            if account not in self.keys:
                self.keys[account] = self.assume(account)
            self.clients[key] = self.new(*key, self.keys[account])
        return self.clients[key]

    def assume(self, account):
        sts = self.new("sts", account, self.region, False, self.own_keys)
        answer = sts.assume_role(RoleArn=ROLE.format(account), RoleSessionName="stranger")["Credentials"]
        return answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]

    def new(self, service, _account, region, unchecked, keys):
        client = boto3.session.Session().client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
            config=Config(
                retries={"total_max_attempts": 1},
                parameter_validation=not unchecked,
                read_timeout=60,
                inject_host_prefix=False,
            ),
        )
        client.meta.events.register("before-parse", self.seen)
        return client

    def seen(self, operation_model, response_dict, **_):
        """Called by botocore with every answer before it reads it."""
        status = response_dict["status_code"]
        name = f"{operation_model.service_model.service_name}.{operation_model.name}"
        (self.succeeded if status < 300 else self.refused).add(name)
        if not self.strict:
            return
        wrong = answers.check(
            operation_model.service_model, operation_model, status, response_dict["headers"], response_dict["body"]
        )
        for where, what in wrong:
            if not self.models.allow(name, where):
                # Told once, with the first place at which it occurs.
                self.faults.setdefault((name, where, what), f"{self.place}: {where}: {what}")
