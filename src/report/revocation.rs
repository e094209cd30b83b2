//! What `revoke` and `restore` print.

use crate::diagnostic::render::printable;
use crate::promote::{ChannelEnd, ChannelMove, LeftOut, Restored, Revoked, Users, Withdrawal};
use std::fmt::Write as _;

/// `ami-1 (1.0.3/1) of web (x86_64)`.
fn title(ami: &str, version: Option<&str>, recipe: &str, arch: &str) -> String {
    let version = version.map_or_else(String::new, |version| format!(" ({version})"));
    format!("{ami}{version} of {recipe} ({arch})")
}

fn version(version: Option<&String>) -> String {
    version.map_or_else(String::new, |version| format!(" ({version})"))
}

/// What `revoke --plan` prints, and `revoke` before it asks.
#[must_use]
pub fn withdrawal(plan: &Withdrawal) -> String {
    let title = title(&plan.ami, plan.image_version.as_deref(), &plan.recipe, &plan.arch);
    let mut text = match (&plan.standing, plan.changes) {
        (Some(_), false) => format!("{title} is revoked already, and nothing is left to be done\n"),
        (Some(one), true) => format!("{title} was revoked at {}, and this would be done yet\n", one.at),
        (None, _) => format!("{title} would be revoked\n"),
    };
    if let Some(standing) = &plan.standing {
        let _ = writeln!(text, "  reason           {} ({})", printable(&standing.reason), standing.who());
    }
    for one in &plan.channels {
        let _ = writeln!(text, "  channel          {} {}", one.channel, channel_move(one));
        for why in &one.passed_over {
            let _ = writeln!(text, "                   not to {}", printable(why));
        }
    }
    if plan.channels.is_empty() {
        text.push_str("  channels         none points at it\n");
    }
    for one in &plan.images {
        let mark = if one.approved { "approved" } else { "not approved" };
        let _ = write!(text, "  image            {}/{}: {} is {}, {mark}", one.account, one.region, one.ami, one.state);
        if !one.launched_by.is_empty() {
            let _ = write!(text, ", launched by {}", one.launched_by.join(", "));
        }
        text.push('\n');
    }
    unseen(&mut text, &plan.unseen, "images could not be looked for");
    users(&mut text, &plan.users);
    text
}

fn channel_move(one: &ChannelMove) -> String {
    match &one.to {
        None => "becomes empty: there is no earlier release".to_owned(),
        Some(to) if one.repair => format!("is at {to}, and pointers that name the revoked one are put right"),
        Some(to) => format!("goes back to {to}{}", version(one.to_version.as_ref())),
    }
}

/// What `revoke` prints when it is done.
#[must_use]
pub fn revoked(revoked: &Revoked) -> String {
    let one = &revoked.revocation;
    let title = title(&one.ami, one.image_version.as_deref(), &one.recipe, &one.arch);
    let mut text = match (revoked.changed, revoked.is_partial()) {
        (false, _) => format!("{title} is revoked already\n"),
        (true, false) => format!("{title} is revoked\n"),
        (true, true) => {
            format!("{title} is revoked in part: nothing can promote it, but something is left to be done\n")
        }
    };
    let _ = writeln!(text, "  reason           {} ({}, {})", printable(&one.reason), one.who(), one.at);
    for channel in &revoked.channels {
        let _ = writeln!(text, "  channel          {}", channel_end(channel));
        for out in &channel.left_out {
            let _ =
                writeln!(text, "                   without {}/{}: {}", out.account, out.region, printable(&out.reason));
        }
    }
    for image in &revoked.images {
        let place = format!("{}/{}: {}", image.account, image.region, image.ami);
        let _ = match &image.failed {
            None => writeln!(text, "  disabled         {place}"),
            Some(why) => writeln!(text, "  can be launched  {place}: {}", printable(why)),
        };
    }
    unseen(&mut text, &revoked.unseen, "images could not be looked for");
    users(&mut text, &revoked.users);
    let again = format!("{} --recipe {} --arch {}", one.ami, one.recipe, one.arch);
    if revoked.is_partial() {
        let _ = writeln!(text, "the rest: amiforge revoke {again} --reason TEXT (the first reason stays)");
    }
    let _ = writeln!(text, "undo: amiforge restore {again} --reason TEXT");
    text
}

fn channel_end(channel: &ChannelEnd) -> String {
    let name = &channel.channel;
    match (&channel.failed, &channel.to) {
        (Some(why), _) => format!("{name} is not moved: {}", printable(why)),
        (None, Some(to)) => format!("{name} now points at {to}{}", version(channel.to_version.as_ref())),
        (None, None) => {
            format!("{name} is empty: its parameters are removed, launches fail until something is promoted")
        }
    }
}

fn users(text: &mut String, users: &Users) {
    for one in &users.instances {
        let name = one.name.as_ref().map_or_else(String::new, |name| format!(" {}", printable(name)));
        let group =
            one.group.as_ref().map_or_else(String::new, |group| format!(", Auto Scaling group {}", printable(group)));
        let (account, region, instance, state, since) =
            (&one.account, &one.region, &one.instance, &one.state, &one.launched_at);
        let _ = writeln!(
            text,
            "  in use           {account}/{region}: {instance}{name} is {state}, launched {since}{group}"
        );
    }
    for one in &users.launch_templates {
        let (account, region, name, version) = (&one.account, &one.region, &one.name, one.version);
        let _ = writeln!(
            text,
            "  named by         {account}/{region}: launch template {} {} version {version}",
            printable(name),
            one.id
        );
    }
    unseen(text, &users.unseen, "who uses it could not be looked at");
    if users == &Users::default() {
        text.push_str("  in use           by nobody in any account and Region of the environment\n");
    }
}

fn unseen(text: &mut String, places: &[LeftOut], what: &str) {
    for one in places {
        let _ = writeln!(text, "  not looked at    {}/{}: {what}: {}", one.account, one.region, printable(&one.reason));
    }
}

/// What `restore` prints.
#[must_use]
pub fn restored(restored: &Restored) -> String {
    let one = &restored.revocation;
    let title = title(&one.ami, one.image_version.as_deref(), &one.recipe, &one.arch);
    let mut text = if restored.complete {
        format!("{title} is restored\n")
    } else {
        format!("{title} is restored in part: nothing can promote it yet\n")
    };
    let _ = writeln!(text, "  was revoked      {} by {}: {}", one.at, one.who(), printable(&one.reason));
    for image in &restored.images {
        let place = format!("{}/{}: {}", image.account, image.region, image.ami);
        let shared = if image.launched_by.is_empty() {
            String::new()
        } else {
            format!(", launched by {} again", image.launched_by.join(", "))
        };
        let mark = if image.approved { ", approved" } else { "" };
        let _ = match &image.failed {
            None => writeln!(text, "  enabled          {place}{mark}{shared}"),
            Some(why) => writeln!(text, "  not enabled      {place}: {}", printable(why)),
        };
    }
    if let Some(why) = &restored.unapproved {
        let _ = writeln!(text, "  not approved     {}", printable(why));
    }
    unseen(&mut text, &restored.unseen, "images could not be looked for");
    if !restored.complete {
        let (ami, recipe, arch) = (&one.ami, &one.recipe, &one.arch);
        let _ = writeln!(text, "the rest: amiforge restore {ami} --recipe {recipe} --arch {arch} --reason TEXT");
        return text;
    }
    text.push_str("no channel was moved");
    for (index, channel) in one.channels.iter().enumerate() {
        let head = if index == 0 { "; it was in\n" } else { "" };
        let _ = write!(
            text,
            "{head}  {channel:<16} amiforge rollback {} --channel {channel} --to {}\n",
            one.recipe, one.ami
        );
    }
    if one.channels.is_empty() {
        let _ = writeln!(text, ": amiforge promote {}", one.recipe);
    }
    text
}
