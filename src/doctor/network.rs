//! Whether a build instance can reach what it needs, and can be had at all.

use super::endpoints;
use super::{Aws, Finding, Findings};
use crate::aws::CallError;
use aws_sdk_ec2::types::{Filter, IpPermission, LocationType, Route, RouteState, RouteTable, SecurityGroup, Subnet};
use std::collections::BTreeSet;

/// By which EC2 says that something is not there.
const ABSENT: &[&str] =
    &["InvalidGroup.NotFound", "InvalidGroupId.Malformed", "InvalidSubnetID.Malformed", "InvalidSubnetID.NotFound"];

/// Everything in IPv4.
const ANYWHERE: &str = "0.0.0.0/0";
/// All services are reached by HTTPS.
const HTTPS: i32 = 443;
/// Addresses in a subnet that should be left: a build has two instances after each other, many may run at once.
const FEW_ADDRESSES: i32 = 4;

pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The subnet of the environment; nothing when it names none.
async fn subnet(aws: &Aws<'_>) -> Result<Result<Option<Subnet>, Finding>, CallError> {
    let Some(id) = &aws.config.subnet else { return Ok(Ok(None)) };
    let home = aws.cloud.home();
    let answer = aws.cloud.ec2(home).describe_subnets().subnet_ids(id).send().await;
    let answer = answer.map_err(CallError::of("DescribeSubnets", home));
    let absent = answer.as_ref().is_err_and(|error| error.fault.is(ABSENT));
    let found = if absent { None } else { answer?.subnets.unwrap_or_default().into_iter().next() };
    Ok(found.map(Some).ok_or_else(|| {
        Finding::problem(format!("subnet {id} does not exist in {}/{}", home.account, home.region))
            .why("no build instance can be launched")
            .next("correct `infrastructure.subnet` in amiforge.yaml; aws ec2 describe-subnets lists those there are")
    }))
}

/// `network`: by the internet, or by endpoints.
pub(super) async fn way(aws: &Aws<'_>) -> Findings {
    let subnet = match subnet(aws).await? {
        Err(finding) => return Ok(vec![finding]),
        Ok(None) => return default_network(aws).await,
        Ok(Some(subnet)) => subnet,
    };
    let (id, vpc) = (subnet.subnet_id.clone().unwrap_or_default(), subnet.vpc_id.clone().unwrap_or_default());
    let mut findings = Vec::new();
    if subnet.available_ip_address_count.is_some_and(|left| left < FEW_ADDRESSES) {
        let left = subnet.available_ip_address_count.unwrap_or_default();
        findings.push(Finding::warning(format!("{id} has {left} addresses left")).why("each instance needs one"));
    }
    let Some(table) = route_table(aws, &id, &vpc).await? else {
        findings.push(Finding::unknown(format!("{vpc} shows no route table for {id}")));
        return Ok(findings);
    };
    let name = table.route_table_id.clone().unwrap_or_default();
    match internet(&table) {
        Some(Way::Public) if subnet.map_public_ip_on_launch != Some(true) => findings.push(
            Finding::problem(format!("{id} leads to an internet gateway, but its instances get no public address"))
                .why("without an address of their own they reach nothing: the build hangs in BUILDING until it times out")
                .next(format!("aws ec2 modify-subnet-attribute --subnet-id {id} --map-public-ip-on-launch"))
                .next("or route 0.0.0.0/0 to a NAT gateway"),
        ),
        Some(Way::Public) => findings.push(Finding::ok(format!("{id} leads to the internet ({name})"))),
        Some(Way::Through(hop)) => findings.push(Finding::ok(format!("{id} leads to the internet through {hop} ({name})"))),
        Some(Way::Blackhole(hop)) => findings.push(
            Finding::problem(format!("the default route of {id} goes to {hop}, which is gone (blackhole)"))
                .why("nothing can be reached: the build hangs until it times out")
                .next(format!("aws ec2 replace-route --route-table-id {name} --destination-cidr-block {ANYWHERE} …")),
        ),
        None => findings.extend(endpoints::look(aws, &id, &vpc, &name).await?),
    }
    Ok(findings)
}

async fn default_network(aws: &Aws<'_>) -> Findings {
    let home = aws.cloud.home();
    let call = aws.cloud.ec2(home).describe_subnets().filters(filter("default-for-az", "true"));
    let found = call.send().await.map_err(CallError::of("DescribeSubnets", home))?.subnets.unwrap_or_default();
    Ok(vec![if found.is_empty() {
        Finding::problem(format!(
            "{}/{} has no default network, and the environment names no subnet",
            home.account, home.region
        ))
        .why("Image Builder launches in the default network when none is named")
        .next("name `subnet` and `security_groups` under `infrastructure` in amiforge.yaml")
    } else {
        Finding::ok(format!("the default network, {} subnets", found.len()))
    }])
}

/// The table of a subnet: its own, else the main one of the network.
async fn route_table(aws: &Aws<'_>, subnet: &str, vpc: &str) -> Result<Option<RouteTable>, CallError> {
    let home = aws.cloud.home();
    let mut pages = aws.cloud.ec2(home).describe_route_tables().filters(filter("vpc-id", vpc)).into_paginator().send();
    let mut tables = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeRouteTables", home))?;
        tables.extend(page.route_tables.unwrap_or_default());
    }
    let of = |table: &&RouteTable| table.associations().iter().any(|one| one.subnet_id.as_deref() == Some(subnet));
    let main = |table: &&RouteTable| table.associations().iter().any(|one| one.main == Some(true));
    Ok(tables.iter().find(of).or_else(|| tables.iter().find(main)).cloned())
}

/// Where everything goes that has no route of its own.
enum Way {
    /// An internet gateway: only for instances with a public address.
    Public,
    /// Something that lends its address.
    Through(String),
    /// Something that is gone.
    Blackhole(String),
}

fn internet(table: &RouteTable) -> Option<Way> {
    let default = table.routes().iter().find(|route| route.destination_cidr_block.as_deref() == Some(ANYWHERE))?;
    let hop = hop(default);
    if default.state == Some(RouteState::Blackhole) {
        return Some(Way::Blackhole(hop));
    }
    Some(if hop.starts_with("igw-") { Way::Public } else { Way::Through(hop) })
}

fn hop(route: &Route) -> String {
    let hops = [
        &route.nat_gateway_id,
        &route.gateway_id,
        &route.transit_gateway_id,
        &route.network_interface_id,
        &route.instance_id,
        &route.vpc_peering_connection_id,
        &route.core_network_arn,
    ];
    hops.into_iter().flatten().next().cloned().unwrap_or_else(|| "somewhere".to_owned())
}

/// Security groups by id.
pub(super) async fn by_id(aws: &Aws<'_>, ids: &[String]) -> Result<Result<Vec<SecurityGroup>, Finding>, CallError> {
    let home = aws.cloud.home();
    let call = aws.cloud.ec2(home).describe_security_groups().set_group_ids(Some(ids.to_vec()));
    match call.send().await.map_err(CallError::of("DescribeSecurityGroups", home)) {
        Ok(answer) => Ok(Ok(answer.security_groups.unwrap_or_default())),
        Err(error) if error.fault.is(ABSENT) => Ok(Err(Finding::problem(format!("security groups: {}", error.fault))
            .why("no instance can be launched with them")
            .next("correct `infrastructure.security_groups` in amiforge.yaml"))),
        Err(error) => Err(error),
    }
}

/// `security-groups`: they are in the network of the subnet and let HTTPS out.
pub(super) async fn groups(aws: &Aws<'_>) -> Findings {
    let wanted = &aws.config.security_groups;
    if wanted.is_empty() {
        return Ok(vec![Finding::ok("none is named: the default group of the default network")]);
    }
    let groups = match by_id(aws, wanted).await? {
        Ok(groups) => groups,
        Err(finding) => return Ok(vec![finding]),
    };
    let vpc = match subnet(aws).await? {
        Ok(subnet) => subnet.and_then(|subnet| subnet.vpc_id),
        Err(finding) => return Ok(vec![finding]),
    };
    let found: BTreeSet<&str> = groups.iter().filter_map(|group| group.group_id.as_deref()).collect();
    let lost = wanted.iter().filter(|id| !found.contains(id.as_str()));
    let mut findings: Vec<Finding> =
        lost.map(|id| Finding::problem(format!("security group {id} does not exist"))).collect();
    for group in &groups {
        let id = group.group_id.as_deref().unwrap_or_default();
        if vpc.is_some() && group.vpc_id != vpc {
            let (theirs, ours) = (group.vpc_id.as_deref().unwrap_or_default(), vpc.as_deref().unwrap_or_default());
            findings.push(
                Finding::problem(format!("security group {id} belongs to {theirs}, the subnet to {ours}"))
                    .why("an instance can only have groups of its own network")
                    .next("correct `infrastructure.security_groups` in amiforge.yaml"),
            );
        }
    }
    // Rules of all groups of an instance count together.
    let out = groups.iter().any(|group| group.ip_permissions_egress().iter().any(lets_https));
    findings.push(if out {
        Finding::ok(format!("{} let HTTPS out", wanted.join(", ")))
    } else {
        Finding::problem(format!("{} do not let HTTPS out", wanted.join(", ")))
            .why("the instance reaches neither Systems Manager nor its packages: the build hangs until it times out")
            .next(format!(
                "aws ec2 authorize-security-group-egress --group-id {} --protocol tcp --port 443 --cidr {ANYWHERE}",
                wanted[0]
            ))
    });
    Ok(findings)
}

/// Whether a rule covers TCP port 443; `-1` is every protocol and has no ports.
pub(super) fn lets_https(rule: &IpPermission) -> bool {
    match rule.ip_protocol.as_deref() {
        Some("-1") => true,
        Some("tcp" | "6") => {
            rule.from_port.is_none_or(|from| from <= HTTPS) && rule.to_port.is_none_or(|to| to >= HTTPS)
        }
        _ => false,
    }
}

/// `instance-types`: they are offered in the zone of the subnet, or in the Region.
pub(super) async fn types(aws: &Aws<'_>) -> Findings {
    let wanted = &aws.config.instance_types;
    if wanted.is_empty() {
        return Ok(vec![Finding::ok("none is named: Image Builder chooses")]);
    }
    let subnet = match subnet(aws).await? {
        Ok(subnet) => subnet,
        Err(finding) => return Ok(vec![finding]),
    };
    let home = aws.cloud.home();
    let zone = subnet.and_then(|subnet| subnet.availability_zone);
    let (kind, place) = match &zone {
        Some(zone) => (LocationType::AvailabilityZone, zone.as_str()),
        None => (LocationType::Region, home.region.as_str()),
    };
    let types = Filter::builder().name("instance-type").set_values(Some(wanted.clone())).build();
    let call = aws.cloud.ec2(home).describe_instance_type_offerings().location_type(kind);
    let mut pages = call.filters(types).filters(filter("location", place)).into_paginator().send();
    let mut offered = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeInstanceTypeOfferings", home))?;
        let names = page.instance_type_offerings.unwrap_or_default().into_iter().filter_map(|one| one.instance_type);
        offered.extend(names.map(|name| name.as_str().to_owned()));
    }
    let (here, lacking): (Vec<_>, Vec<_>) = wanted.iter().cloned().partition(|name| offered.contains(name));
    let next = format!(
        "aws ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values={}",
        wanted.join(",")
    );
    Ok(vec![if lacking.is_empty() {
        Finding::ok(format!("{} offered in {place}", here.join(", ")))
    } else if here.is_empty() {
        Finding::problem(format!("{place} offers none of {}", lacking.join(", ")))
            .why("no build instance can be launched")
            .next(next)
    } else {
        Finding::warning(format!("{place} does not offer {}; {} remain", lacking.join(", "), here.join(", ")))
            .next(next)
    }])
}
