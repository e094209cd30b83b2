"""What a third party sees of moto, and puts there: `world.py ADDRESS images` makes two AMIs that carry evidence, `world.py ADDRESS
pointers TEMPLATE PARAMETER` reads where launch templates and parameters point, `world.py ADDRESS meddle REGION TEMPLATE
PARAMETER` points them at another image, `world.py ADDRESS key` makes a key that signs, `world.py ADDRESS signed ENVELOPE KEY`
says whether that key has signed an envelope. Says it as JSON."""

import base64
import json
import sys

import boto3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ADDRESS, PART = sys.argv[1:3]
HOME = "us-east-1"
REGIONS = [HOME, "eu-west-1", "ap-south-1"]


def client(service, region=HOME):
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=ADDRESS,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def images():
    """Two images; where they are tagged it is with the digest `sha256:` and the number of the image."""
    ec2 = client("ec2")
    disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}
    made = []
    for number in (1, 2):
        answer = ec2.register_image(
            Name=f"golden {number}", RootDeviceName="/dev/xvda", Architecture="x86_64", BlockDeviceMappings=[disk]
        )
        digest = "sha256:" + str(number) * 64
        ec2.create_tags(Resources=[answer["ImageId"]], Tags=[{"Key": "amiforge:evidence", "Value": digest}])
        made.append({"ami": answer["ImageId"], "digest": digest})
    return made


def pointers(template, parameter):
    """Per Region: the image that the launch template's default version names, that image's mark, what the parameter says."""
    found = {}
    for region in REGIONS:
        ec2, ssm = client("ec2", region), client("ssm", region)
        answer = ec2.describe_launch_template_versions(LaunchTemplateName=template, Versions=["$Default"])
        version = answer["LaunchTemplateVersions"][0]
        image = version["LaunchTemplateData"]["ImageId"]
        there = ec2.describe_images(ImageIds=[image])["Images"][0]
        tags = {tag["Key"]: tag["Value"] for tag in there.get("Tags", [])}
        value = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        kind = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [parameter]}])
        found[region] = {
            "template": image,
            "parameter": value,
            "kind": kind["Parameters"][0].get("DataType"),
            "approved": "amiforge:approved" in tags,
            "evidence": tags.get("amiforge:evidence"),
        }
    return found


def meddle(region, template, parameter):
    """Somebody points a Region's launch template and parameter at another image."""
    ec2, ssm = client("ec2", region), client("ssm", region)
    other = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    data = {"ImageId": other}
    version = ec2.create_launch_template_version(LaunchTemplateName=template, LaunchTemplateData=data)
    number = str(version["LaunchTemplateVersion"]["VersionNumber"])
    ec2.modify_launch_template(LaunchTemplateName=template, DefaultVersion=number)
    ssm.put_parameter(Name=parameter, Value=other, Overwrite=True)


def key():
    """A key on P-256."""
    made = client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    return {"arn": made["Arn"]}


def signed(envelope, name):
    """Whether a key has signed a DSSE envelope: its encoding is written out here from the specification."""
    with open(envelope, encoding="utf-8") as file:
        document = json.load(file)
    kind, payload = document["payloadType"].encode(), base64.b64decode(document["payload"], validate=True)
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    public = serialization.load_der_public_key(client("kms").get_public_key(KeyId=name)["PublicKey"])
    try:
        signature = base64.b64decode(document["signatures"][0]["sig"], validate=True)
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


PARTS = {"images": images, "key": key, "meddle": meddle, "pointers": pointers, "signed": signed}
print(json.dumps(PARTS[PART](*sys.argv[3:])))
