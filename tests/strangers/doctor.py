"""Makes in moto what `doctor` looks for, a part at a time: `doctor.py ADDRESS PART`. Says ids as JSON."""

import json
import sys

import boto3

ADDRESS, PART = sys.argv[1:3]
REGION = "eu-central-1"
READ = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}]}
)
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def client(service):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=ADDRESS,
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


EC2, IAM = client("ec2"), client("iam")


def network():
    """A network of its own with a subnet from which nothing can be reached."""
    vpc = EC2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = EC2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone=REGION + "a")["Subnet"]["SubnetId"]
    group = EC2.create_security_group(GroupName="build", Description="build", VpcId=vpc)["GroupId"]
    image = EC2.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
    client("ssm").put_parameter(Name="/own/parent", Type="String", Value=image)
    return {"vpc": vpc, "subnet": subnet, "group": group}


def endpoints():
    """The endpoints that take the place of a way to the internet."""
    vpc = EC2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"][0]["VpcId"]
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    subnet = EC2.describe_subnets(Filters=here)["Subnets"][0]["SubnetId"]
    table = EC2.describe_route_tables(Filters=here)["RouteTables"][0]["RouteTableId"]
    group = EC2.create_security_group(GroupName="ends", Description="ends", VpcId=vpc)["GroupId"]
    EC2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}],
    )
    for service in ["ssm", "ssmmessages", "ec2messages", "imagebuilder", "logs"]:
        EC2.create_vpc_endpoint(
            VpcEndpointType="Interface",
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            SubnetIds=[subnet],
            SecurityGroupIds=[group],
            PrivateDnsEnabled=True,
        )
    EC2.create_vpc_endpoint(
        VpcEndpointType="Gateway", VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table]
    )
    return {}


def internet():
    """A way to the internet, and public addresses."""
    vpc = EC2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"][0]["VpcId"]
    here = [{"Name": "vpc-id", "Values": [vpc]}]
    subnet = EC2.describe_subnets(Filters=here)["Subnets"][0]["SubnetId"]
    table = EC2.describe_route_tables(Filters=here)["RouteTables"][0]["RouteTableId"]
    gateway = EC2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    EC2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    EC2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    EC2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    return {}


def roles():
    """The instance profile with its role and one of the two policies, and the service-linked role."""
    IAM.create_role(RoleName="build-role", AssumeRolePolicyDocument=TRUST)
    IAM.create_instance_profile(InstanceProfileName="build")
    IAM.add_role_to_instance_profile(InstanceProfileName="build", RoleName="build-role")
    # moto has AWS's own policies only when it is asked to load them; the name is what counts.
    policy = IAM.create_policy(PolicyName="AmazonSSMManagedInstanceCore", PolicyDocument=READ)["Policy"]["Arn"]
    IAM.attach_role_policy(RoleName="build-role", PolicyArn=policy)
    IAM.create_service_linked_role(AWSServiceName="imagebuilder.amazonaws.com")
    return {"roles": [role["RoleName"] for role in IAM.list_roles()["Roles"]]}


def bucket():
    """The log bucket."""
    client("s3").create_bucket(Bucket="acme-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    return {}


print(json.dumps(globals()[PART]()))
