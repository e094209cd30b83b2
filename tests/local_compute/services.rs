//! Images with systemd: services of build and test instances are real, and so are their restarts.

use crate::build::{reason, status};
use crate::fixture::system_root;
use crate::instances::{launch, send, terminate};
use crate::world::World;
use aws_sdk_imagebuilder::types::ImageStatus;
use aws_sdk_ssm::types::CommandInvocationStatus;

const WEB: &str = r"
name: web
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:
            - |
              cat > /etc/systemd/system/web.service <<END
              [Service]
              Type=oneshot
              RemainAfterExit=yes
              ExecStart=/bin/sh -c 'echo up >> /var/lib/web'
              [Install]
              WantedBy=multi-user.target
              END
            - systemctl enable --now web
  - name: validate
    steps:
      - name: Active
        action: ExecuteBash
        inputs:
          commands:
            - systemctl is-active web
            - test $(cat /var/lib/web | wc -l) = 1
  - name: test
    steps:
      - name: Restarted
        action: ExecuteBash
        inputs:
          commands:
            - systemctl is-active web
            - if test ! -e /var/lib/restarted; then touch /var/lib/restarted /run/before; cp /proc/sys/kernel/random/boot_id /var/lib/first; exit 194; fi
            - test ! -e /run/before
            - if cmp -s /proc/sys/kernel/random/boot_id /var/lib/first; then exit 1; fi
            - test $(cat /var/lib/web | wc -l) = 3
";

pub fn real() {
    let world = World::on(system_root());
    let arn = world.create("web", &[WEB]);
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Available, "{}", reason(&image));
    let amis = image.output_resources().and_then(|output| output.amis.as_ref()).expect("AMIs");
    let ami = amis[0].image().expect("an id");
    let (one, two) = (launch(&world, ami), launch(&world, ami));
    let run = |instance: &str, command: &str| {
        let answer = send(&world, instance, "AWS-RunShellScript", &[("commands", command)]);
        let text = |text: Option<&str>| text.unwrap_or_default().trim().to_owned();
        let (out, err) = (text(answer.standard_output_content()), text(answer.standard_error_content()));
        (answer.status().cloned().expect("a status"), out, err)
    };
    let succeeded = |instance: &str, command: &str| {
        let (status, out, err) = run(instance, command);
        assert_eq!(status, CommandInvocationStatus::Success, "{command}: {out} {err}");
        out
    };
    assert_eq!(succeeded(&one, "systemctl is-system-running; systemctl is-active web"), "running\nactive");
    // The image has none of its own.
    assert_ne!(succeeded(&one, "cat /etc/machine-id"), succeeded(&two, "cat /etc/machine-id"));
    let id = succeeded(&one, "cat /proc/sys/kernel/random/boot_id");
    let (ended, _, said) = run(&one, "systemctl reboot; sleep 60");
    assert_eq!(ended, CommandInvocationStatus::Failed);
    assert!(said.contains("The instance restarted while the command ran"), "{said}");
    assert_ne!(succeeded(&one, "cat /proc/sys/kernel/random/boot_id"), id);
    assert_eq!(succeeded(&one, "systemctl is-system-running"), "running");
    let (ended, _, said) = run(&two, "poweroff; sleep 60");
    assert_eq!(ended, CommandInvocationStatus::Failed);
    assert!(said.contains("switched off"), "{said}");
    terminate(&world, &one);
    terminate(&world, &two);
    world.assert_nothing_left();
}
