//! A subnet without a way to the internet: what must stand in its network instead (image-builder.md 18).

use super::network::{by_id, filter, lets_https};
use super::{Aws, Finding, Findings};
use crate::aws::CallError;
use aws_sdk_ec2::types::{State, VpcEndpoint, VpcEndpointType};

/// What builds talk to, and whether they fail without it. Whether `ec2messages` is still needed is not confirmed: older
/// agents do.
const SERVICES: [(&str, bool); 5] =
    [("ssm", true), ("ssmmessages", true), ("ec2messages", false), ("imagebuilder", true), ("logs", true)];

/// The endpoints of the network, judged one service at a time.
pub(super) async fn look(aws: &Aws<'_>, subnet: &str, vpc: &str, table: &str) -> Findings {
    let home = aws.cloud.home();
    let call = aws.cloud.ec2(home).describe_vpc_endpoints().filters(filter("vpc-id", vpc));
    let mut pages = call.into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeVpcEndpoints", home))?;
        all.extend(page.vpc_endpoints.unwrap_or_default());
    }
    // Names have the partition's prefix (com.amazonaws, cn.com.amazonaws): the end tells.
    let named = |service: &str| {
        let end = format!(".{}.{service}", home.region);
        let of = all.iter().filter(move |one| one.service_name.as_deref().is_some_and(|name| name.ends_with(&end)));
        of.collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    for (service, needed) in SERVICES {
        findings.push(interface(aws, service, needed, &named(service), vpc).await?);
    }
    findings.push(s3(&named("s3"), table, aws));
    if findings.iter().all(|finding| finding.status == super::Status::Ok) {
        findings.push(
            Finding::warning(format!("{subnet} has no way to the internet"))
                .why("packages come from mirrors in the network, or the patch component finds none")
                .next("make sure that the package sources of the parent image can be reached from the subnet"),
        );
    }
    Ok(findings)
}

async fn interface(
    aws: &Aws<'_>,
    service: &str,
    needed: bool,
    found: &[&VpcEndpoint],
    vpc: &str,
) -> Result<Finding, CallError> {
    let region = &aws.cloud.home().region;
    let Some(endpoint) = found.iter().find(|one| one.vpc_endpoint_type != Some(VpcEndpointType::Gateway)) else {
        let what = format!("{vpc} has no endpoint for {service}, and no way to the internet");
        let finding = if needed {
            Finding::problem(what).why("the build hangs in BUILDING for most of an hour, then fails")
        } else {
            Finding::warning(what)
                .why("older versions of the SSM Agent need it; whether newer ones do is not confirmed")
        };
        return Ok(finding.next(format!(
            "aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --vpc-id {vpc} --private-dns-enabled \
             --service-name com.amazonaws.{region}.{service} --subnet-ids … --security-group-ids …"
        )));
    };
    let id = endpoint.vpc_endpoint_id.as_deref().unwrap_or_default();
    // The service writes it in lower case, its own model with a capital.
    let available = |state: &State| state.as_str().eq_ignore_ascii_case(State::Available.as_str());
    if let Some(state) = endpoint.state.as_ref().filter(|state| !available(state)) {
        let state = state.as_str();
        return Ok(Finding::problem(format!("{id} ({service}) is not available but `{state}`")));
    }
    if endpoint.private_dns_enabled != Some(true) {
        return Ok(Finding::problem(format!("{id} ({service}) has no private DNS"))
            .why("the instance asks for the public name and never finds the endpoint")
            .next(format!("aws ec2 modify-vpc-endpoint --vpc-endpoint-id {id} --private-dns-enabled")));
    }
    let groups: Vec<String> = endpoint.groups().iter().filter_map(|group| group.group_id.clone()).collect();
    if groups.is_empty() {
        return Ok(Finding::unknown(format!("{id} ({service}) shows no security group")));
    }
    Ok(match by_id(aws, &groups).await? {
        Err(finding) => finding,
        Ok(rules) if rules.iter().any(|group| group.ip_permissions().iter().any(lets_https)) => {
            Finding::ok(format!("{id} for {service}"))
        }
        Ok(_) => Finding::problem(format!("{} of {id} ({service}) do not let HTTPS in", groups.join(", ")))
            .why("the endpoint is there and cannot be reached")
            .next(format!(
                "aws ec2 authorize-security-group-ingress --group-id {} --protocol tcp --port 443 --source-group {}",
                groups[0],
                aws.config.security_groups.first().map_or("…", String::as_str)
            )),
    })
}

/// S3 by a gateway that the subnet's routes know, or by an interface.
fn s3(found: &[&VpcEndpoint], table: &str, aws: &Aws<'_>) -> Finding {
    let region = &aws.cloud.home().region;
    let next = format!(
        "aws ec2 create-vpc-endpoint --vpc-endpoint-type Gateway --service-name com.amazonaws.{region}.s3 --route-table-ids {table} --vpc-id …"
    );
    let gateway = found.iter().find(|one| one.vpc_endpoint_type == Some(VpcEndpointType::Gateway));
    let Some(gateway) = gateway else {
        return match found.first() {
            Some(one) => Finding::ok(format!("{} for s3", one.vpc_endpoint_id.as_deref().unwrap_or_default())),
            None => Finding::problem("the network has no endpoint for s3, and no way to the internet")
                .why(format!(
                    "the component runner is fetched from the buckets ec2imagebuilder-toe-{region}-prod and \
                     ec2imagebuilder-managed-resources-{region}-prod"
                ))
                .next(next),
        };
    };
    let id = gateway.vpc_endpoint_id.as_deref().unwrap_or_default();
    if gateway.route_table_ids().iter().any(|other| other == table) {
        return Finding::ok(format!("{id} for s3"));
    }
    Finding::problem(format!("{id} for s3 is not in the route table {table} of the subnet"))
        .why("a gateway serves only the route tables that it is put into")
        .next(format!("aws ec2 modify-vpc-endpoint --vpc-endpoint-id {id} --add-route-table-ids {table}"))
}
